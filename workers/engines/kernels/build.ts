// Compiles the kernels by one call of g++ and proves that they compute here, then moves them into place.

import { join } from 'node:path';
import { checkInProcess, runCompiler } from '../../build/compile.ts';
import { moveIntoPlace } from '../../build/staging.ts';
import { COMPILER_FLAGS, type KernelsLocation } from './library.ts';

/** Disk space that compiling takes at its peak, most of it g++'s temporary files. */
export const BUILD_BYTES = 50_000_000;

/**
 * Builds the add-on in `staging`, a folder in the cache folder, and moves it to its place.
 *
 * @throws GanglionError `environment` when g++ is missing or fails, or when the add-on does not load or compute
 */
export async function buildKernels(location: KernelsLocation, staging: string, signal: AbortSignal): Promise<void> {
  const staged = join(staging, 'kernels');
  const addonPath = join(staged, 'ganglion_kernels.node');
  await runCompiler(
    [...COMPILER_FLAGS, ...location.units],
    {
      what: "Ganglion's kernels",
      addonPath,
      temporary: join(staging, 'gxx'),
      logPath: join(location.cacheFolder, 'setup-compile-kernels.log'),
    },
    signal,
  );
  await checkKernels(addonPath, signal);
  signal.throwIfAborted();
  await moveIntoPlace(staged, location.kernelsFolder, join(staging, 'replaced'));
}

/**
 * Loads the add-on in a process of its own, and has it test itself.
 *
 * @throws GanglionError `environment` when it does not load, or computes wrongly
 */
export async function checkKernels(addonPath: string, signal: AbortSignal): Promise<void> {
  const script = "if (!require(process.argv[1]).selfTest()) throw new Error('the self-test gives wrong results')";
  await checkInProcess(script, { what: "the add-on of Ganglion's kernels", addonPath }, signal);
}
