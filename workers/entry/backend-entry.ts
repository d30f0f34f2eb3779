// Entry file of the check before a run: which backend computes, where the kernels are not simply there. A child process of the coordinator,
// as it may compile, and load a library that does not fit. Usage: node backend-entry.js auto|cpu|tensorflow|wasm|webgpu|js
// Prints the backend's name on standard output, and what people are to know on standard error.

import { BACKENDS, type Backend } from '../../shared/backend.ts';
import { GanglionError, messageOf, systemErrorCode } from '../../shared/error.ts';
import { printLine } from '../../shared/print.ts';
import { abortOnInterrupt, Interrupted } from '../build/interrupt.ts';
import { readKernelsSetting, requireKernels } from '../engines/kernels/binding.ts';
import { locateKernels } from '../engines/kernels/library.ts';
import { locateLibrary } from '../engines/tensorflow/library.ts';

/** How much slower wasm trains than the kernels: README.md. */
const TIMES_SLOWER = 11;

/** How to set up what is missing. */
async function loadSetup(again: boolean) {
  const [setup, { createProgress }] = await Promise.all([
    import('../setup/install.ts'),
    import('../build/progress.ts'),
  ]);
  return { ...setup, options: { progress: createProgress(process.stderr), signal: abortOnInterrupt(), again } };
}

/**
 * Compiles the kernels where they are missing, and loads them.
 *
 * @param again whether to try also when the set-up before has failed
 * @throws GanglionError when this machine cannot compute by them
 */
async function prepareKernels(again: boolean): Promise<void> {
  const { installKernels, options } = await loadSetup(again);
  await installKernels(locateKernels(), options);
  requireKernels();
}

/** The kernels where they are or can be compiled, else wasm with a line that says why. */
async function pick(): Promise<Backend> {
  try {
    await prepareKernels(false);
    return 'cpu';
  } catch (error) {
    if (!(error instanceof GanglionError) && systemErrorCode(error) === undefined) throw error;
    const { recallFailure } = await import('../build/failed-setup.ts');
    const isRemembered = recallFailure(locateKernels().kernelsFolder) !== undefined;
    const later = isRemembered ? '; not tried again until: npm run setup' : '';
    printLine(
      process.stderr,
      `ganglion: training in WebAssembly, about ${TIMES_SLOWER} times slower than by compiled kernels: ${messageOf(error)}${later}`,
    );
    return 'wasm';
  }
}

/** @throws GanglionError `environment` when the backend cannot run here */
async function check(backend: Backend): Promise<Backend> {
  try {
    if (backend === 'cpu') await prepareKernels(true);
    else if (backend === 'tensorflow') {
      const { installTensorflow, options } = await loadSetup(true);
      await installTensorflow(locateLibrary(), options);
    } else if (backend === 'webgpu') {
      const { probe } = await import('../setup/probe.ts');
      const { runs, detail } = await probe(backend);
      if (!runs) throw new GanglionError('environment', detail);
    }
    return backend;
  } catch (error) {
    if (!(error instanceof GanglionError)) throw error;
    throw new GanglionError(error.code, `--backend ${backend} cannot run here: ${error.message}`, { cause: error });
  }
}

const setting = process.argv[2];
const named = BACKENDS.find((backend) => backend === setting);
try {
  readKernelsSetting(); // a wrong value is refused before anything is made
  printLine(process.stdout, await (named === undefined ? pick() : check(named)));
} catch (error) {
  if (!(error instanceof GanglionError || error instanceof Interrupted)) throw error;
  printLine(process.stderr, `ganglion: ${error.message}`);
  process.exitCode = error.exitCode;
}
