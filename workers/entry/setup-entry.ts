// Entry file of `ganglion setup`, a child process of the coordinator. Usage: node setup-entry.js [--tensorflow]

import { GanglionError } from '../../shared/error.ts';
import { abortOnInterrupt, Interrupted } from '../build/interrupt.ts';
import { createProgress } from '../build/progress.ts';
import { locateKernels } from '../engines/kernels/library.ts';
import { locateLibrary, TENSORFLOW_VERSION, VARIANT } from '../engines/tensorflow/library.ts';
import { installKernels, installTensorflow } from '../setup/install.ts';

const options = { progress: createProgress(process.stderr), signal: abortOnInterrupt(), again: true };

try {
  if (process.argv.includes('--tensorflow')) {
    const location = locateLibrary();
    await installTensorflow(location, options);
    process.stdout.write(`TensorFlow ${TENSORFLOW_VERSION} (${VARIANT}) is ready in ${location.libraryFolder}\n`);
  } else {
    const location = locateKernels();
    await installKernels(location, options);
    process.stdout.write(`the kernels are ready in ${location.kernelsFolder}\n`);
  }
} catch (error) {
  if (!(error instanceof GanglionError || error instanceof Interrupted)) throw error;
  process.stderr.write(`ganglion: ${error.message}\n`);
  process.exitCode = error.exitCode;
}
