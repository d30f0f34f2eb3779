// Entry file of `npm run setup`: a child process of the coordinator, which must not load TensorFlow code itself.

import { GanglionError } from '../../shared/error.ts';
import { abortOnInterrupt, Interrupted } from '../build/interrupt.ts';
import { createProgress } from '../build/progress.ts';
import { locateKernels, toWithoutKernelsLine } from '../engines/kernels/library.ts';
import { locateLibrary, TENSORFLOW_VERSION, VARIANT } from '../engines/tensorflow/library.ts';
import { install, isInstalled } from '../setup/install.ts';

/** The library is there, the kernels are not: training computes, only slower. */
const WITHOUT_KERNELS = 2;

const locations = { library: locateLibrary(), kernels: locateKernels() };

try {
  const again = { library: true, kernels: true };
  const withoutKernels = isInstalled(locations)
    ? undefined
    : await install(locations, createProgress(process.stderr), abortOnInterrupt(), again);
  process.stdout.write(
    `native library ready: TensorFlow ${TENSORFLOW_VERSION} (${VARIANT}) in ${locations.library.libraryFolder}\n`,
  );
  if (withoutKernels === undefined) {
    process.stdout.write(`kernels ready in ${locations.kernels.kernelsFolder}\n`);
  } else {
    process.stderr.write(toWithoutKernelsLine(withoutKernels));
    process.exitCode = WITHOUT_KERNELS;
  }
} catch (error) {
  if (!(error instanceof GanglionError || error instanceof Interrupted)) throw error;
  process.stderr.write(`ganglion: ${error.message}\n`);
  process.exitCode = error.exitCode;
}
