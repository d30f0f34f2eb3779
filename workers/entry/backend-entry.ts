// Entry file of the check before a run: which backend computes. A child process of the coordinator, which must not load TensorFlow
// code itself. Usage: node backend-entry.js auto|native|wasm|webgpu|cpu
// Prints the backend's name on standard output, and what people are to know on standard error.

import { BACKENDS, type Backend } from '../../shared/backend.ts';
import { GanglionError, messageOf, systemErrorCode } from '../../shared/error.ts';
import { abortOnInterrupt, Interrupted } from '../build/interrupt.ts';
import { readKernelsSetting } from '../engines/kernels/binding.ts';
import { areKernelsReady, locateKernels, toWithoutKernelsLine } from '../engines/kernels/library.ts';
import { isReady, locateLibrary } from '../engines/tensorflow/library.ts';

/** How much slower wasm trains than the native library: README.md, Backends. */
const TIMES_SLOWER = 11;

const NOT_AGAIN = '; not tried again until: npm run setup';

const library = locateLibrary();
const kernels = locateKernels();

/**
 * Builds what is missing of native; says so in a line when it is to compute without the kernels.
 *
 * @param again whether to try the library also when the set-up before has failed
 * @throws GanglionError when the library is missing and cannot be set up
 */
async function setUp(again: boolean): Promise<void> {
  if (isReady(library) && areKernelsReady(kernels)) return;
  if (isReady(library) && readKernelsSetting() === 'off') return;
  // loaded only when needed: this runs before every training run, and the answer is nearly always "ready"
  const [{ install }, { createProgress }, { recallFailure }] = await Promise.all([
    import('../setup/install.ts'),
    import('../build/progress.ts'),
    import('../build/failed-setup.ts'),
  ]);
  const progress = createProgress(process.stderr);
  const reason = await install({ library, kernels }, progress, abortOnInterrupt(), { library: again, kernels: false });
  if (reason === undefined) return;
  const later = recallFailure(kernels.kernelsFolder) === undefined ? '' : NOT_AGAIN;
  process.stderr.write(toWithoutKernelsLine(`${reason}${later}`));
}

/** Native where it is or can be set up, else wasm with a line that says why. */
async function pick(): Promise<Backend> {
  try {
    await setUp(false);
    return 'native';
  } catch (error) {
    if (!(error instanceof GanglionError) && systemErrorCode(error) === undefined) throw error;
    const { recallFailure } = await import('../build/failed-setup.ts');
    const later = recallFailure(library.libraryFolder) === undefined ? '' : NOT_AGAIN;
    process.stderr.write(
      `ganglion: computing on wasm, about ${TIMES_SLOWER} times slower than the native library: ${messageOf(error)}${later}\n`,
    );
    return 'wasm';
  }
}

/** @throws GanglionError `environment` when the backend cannot run here */
async function check(backend: Backend): Promise<Backend> {
  try {
    if (backend === 'native') await setUp(true);
    else if (backend === 'webgpu') {
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
  process.stdout.write(`${await (named === undefined ? pick() : check(named))}\n`);
} catch (error) {
  if (!(error instanceof GanglionError || error instanceof Interrupted)) throw error;
  process.stderr.write(`ganglion: ${error.message}\n`);
  process.exitCode = error.exitCode;
}
