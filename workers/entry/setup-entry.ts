// Entry file of `ganglion setup`, a child process of the coordinator. Usage: node setup-entry.js [--cuda] [--mpi] [--tensorflow[=gpu]]

import { existsSync } from 'node:fs';
import { toCacheFolder } from '../../shared/cache-folder.ts';
import { seesGpu } from '../../shared/device.ts';
import { GanglionError } from '../../shared/error.ts';
import { printLine } from '../../shared/print.ts';
import { leaveSignals, SIGNALS_TO_LEAVE } from '../../shared/stop-signals.ts';
import { abortOnInterrupt, Interrupted } from '../build/interrupt.ts';
import { createProgress } from '../build/progress.ts';
import { findCuda, locateCuda } from '../engines/cuda/library.ts';
import { findKernels, locateKernels } from '../engines/kernels/library.ts';
import { checkAddon } from '../engines/tensorflow/build.ts';
import { locateLibrary, TENSORFLOW_VERSION, VARIANTS } from '../engines/tensorflow/library.ts';
import { currentPlatform } from '../engines/tensorflow/preflight.ts';
import { findMpiHere } from '../setup/find-mpi.ts';
import { installKernels } from '../setup/install.ts';
import { installCuda, installCudaForAll, installCudaHost } from '../setup/install-cuda.ts';
import { installMpi } from '../setup/install-mpi.ts';
import { installTensorflow } from '../setup/install-tensorflow.ts';
import { cudaOfNvidia } from '../setup/tensorflow-gpus.ts';

leaveSignals(SIGNALS_TO_LEAVE);
const options = { progress: createProgress(process.stderr), signal: abortOnInterrupt(), again: true };

try {
  const isFor = (flag: string): boolean => process.argv.includes(flag);
  if (isFor('--cuda')) {
    await installCudaForAll(locateCuda(), options);
    printLine(process.stdout, `the CUDA engine is ready in ${findCuda(locateCuda()).folder}`);
  }
  if (isFor('--mpi')) {
    const mpi = findMpiHere();
    const isGood = mpi?.major === 5 && mpi.origin !== 'wheel';
    const folder = isGood ? mpi.library : await installMpi(toCacheFolder(), currentPlatform(), options);
    printLine(process.stdout, `Open MPI is ready in ${folder}`);
  }
  const variant = VARIANTS.find((known) => isFor(`--tensorflow=${known}`));
  if (variant !== undefined) {
    const location = locateLibrary(process.env, variant);
    await installTensorflow(location, options);
    if (variant === 'gpu') await installCudaHost(cudaOfNvidia(), options); // it knows the GPUs
    await checkAddon(location.addonPath, options.signal); // also one that was there
    const taken = locateLibrary(); // where both are, training takes one
    const other =
      taken.variant === variant ? '' : `; training takes (${taken.variant}) until you delete ${taken.libraryFolder}`;
    const ready = `TensorFlow ${TENSORFLOW_VERSION} (${variant}) is ready in ${location.libraryFolder}`;
    printLine(process.stdout, `${ready}${other}`);
  } else if (!isFor('--cuda') && !isFor('--mpi')) {
    const location = locateKernels();
    await installKernels(location, options);
    printLine(process.stdout, `the kernels are ready in ${findKernels(location).folder}`);
    if (seesGpu(existsSync)) {
      await installCuda(locateCuda(), options);
      printLine(process.stdout, `the CUDA engine is ready in ${findCuda(locateCuda()).folder}`);
    }
  }
} catch (error) {
  if (!(error instanceof GanglionError || error instanceof Interrupted)) throw error;
  printLine(process.stderr, `ganglion: ${error.message}`);
  process.exitCode = error.exitCode;
}
