// Builds what an engine needs where it is missing: Ganglion's kernels, or TensorFlow. One set-up at a time for a cache folder.
import { GanglionError, systemErrorCode } from '../../shared/error.ts';
import { prepareCacheFolder } from '../build/cache-folder.ts';
import { checkDisk, diskError } from '../build/disk.ts';
import { recallFailure } from '../build/failed-setup.ts';
import { readProgramVersions } from '../build/programs.ts';
import type { Progress } from '../build/progress.ts';
import { withSetupLock } from '../build/setup-lock.ts';
import { clearTraces, inStagingFolder } from '../build/staging.ts';
import { BUILD_BYTES, buildKernels } from '../engines/kernels/build.ts';
import { areKernelsReady, type KernelsLocation } from '../engines/kernels/library.ts';
import { checkCompiler, checkMachine, currentMachine } from '../engines/kernels/requirements.ts';
import { buildLibrary } from '../engines/tensorflow/build.ts';
import { downloadWheel, hasKeptWheel } from '../engines/tensorflow/download.ts';
import { isReady, type LibraryLocation } from '../engines/tensorflow/library.ts';
import { fetchPackage, findPackage } from '../engines/tensorflow/package.ts';
import { checkPlatform, checkPrograms, currentPlatform } from '../engines/tensorflow/preflight.ts';
import { neededBytes } from '../engines/tensorflow/wheel.ts';

/** How a set-up runs. */
export interface InstallOptions {
  readonly progress: Progress;
  /** Kills the children and removes the staging folder when it aborts; the set-up rejects with its reason. */
  readonly signal: AbortSignal;
  /** Whether to try also when the set-up before has failed. */
  readonly again: boolean;
}

/** Whether TensorFlow is set up. */
export function isTensorflowReady(location: LibraryLocation): boolean {
  return isReady(location) && findPackage() !== undefined;
}

/**
 * Compiles the kernels where they are missing; waits for another set-up of the same cache folder.
 *
 * @throws GanglionError `environment` for everything that stands in the way and a user can mend
 */
export async function installKernels(location: KernelsLocation, options: InstallOptions): Promise<void> {
  checkMachine(currentMachine());
  if (areKernelsReady(location)) return;
  const { cacheFolder, kernelsFolder } = location;
  const { progress, again } = options;
  refuseRemembered(kernelsFolder, again);
  checkCompiler();
  await locked(cacheFolder, BUILD_BYTES, options, async (signal) => {
    if (areKernelsReady(location)) return;
    refuseRemembered(kernelsFolder, again);
    await clearTraces(kernelsFolder);
    await checkDisk(cacheFolder, BUILD_BYTES);
    progress.line('compiling the kernels');
    await inStagingFolder(kernelsFolder, signal, (staging) => buildKernels(location, staging, signal));
  });
}

/**
 * Fetches and builds TensorFlow where it is missing; waits for another set-up of the same cache folder.
 *
 * @throws GanglionError `environment` for everything that stands in the way and a user can mend
 */
export async function installTensorflow(location: LibraryLocation, options: InstallOptions): Promise<void> {
  if (isTensorflowReady(location)) return;
  const { cacheFolder, libraryFolder } = location;
  const { progress, again } = options;
  checkPlatform(currentPlatform());
  await locked(cacheFolder, neededBytes(false), options, async (signal) => {
    if (isTensorflowReady(location)) return;
    refuseRemembered(libraryFolder, again);
    await clearTraces(libraryFolder);
    const needsLibrary = !isReady(location);
    if (needsLibrary) checkPrograms(await readProgramVersions(signal));
    const haveWheel = needsLibrary && (await hasKeptWheel(cacheFolder, signal));
    if (needsLibrary) await checkDisk(cacheFolder, neededBytes(haveWheel));
    await inStagingFolder(libraryFolder, signal, async (staging) => {
      if (haveWheel) progress.line('using the TensorFlow download of an earlier set-up');
      else if (needsLibrary) await downloadWheel(cacheFolder, staging, progress, signal);
      if (findPackage() === undefined) {
        progress.line('fetching @tensorflow/tfjs-node-gpu');
        await fetchPackage(staging, signal);
      }
      if (needsLibrary) await buildLibrary(location, staging, progress, signal);
    });
  });
}

/** Runs `work` in the cache folder, with the lock of set-ups, and names a full disk. */
async function locked(
  cacheFolder: string,
  needed: number,
  { progress, signal }: InstallOptions,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const onWait = () => progress.line('waiting for another set-up that is running, or was killed seconds ago');
  try {
    await prepareCacheFolder(cacheFolder);
    await withSetupLock(cacheFolder, signal, onWait, work);
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === 'ENOSPC' || code === 'EDQUOT') throw diskError(cacheFolder, undefined, needed);
    throw error;
  }
}

/** @throws GanglionError with the reason why the set-up before could not build `folder`, unless it is to be tried `again` */
function refuseRemembered(folder: string, again: boolean): void {
  const reason = again ? undefined : recallFailure(folder);
  if (reason !== undefined) throw new GanglionError('environment', reason);
}
