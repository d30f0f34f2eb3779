// Builds what an engine needs where it is missing: Ganglion's kernels, or TensorFlow. One set-up at a time for a cache folder.
import { GanglionError, systemErrorCode } from '../../shared/error.ts';
import { checkCacheFolder, prepareCacheFolder } from '../build/cache-folder.ts';
import { checkDisk, diskError } from '../build/disk.ts';
import { recallFailure } from '../build/failed-setup.ts';
import { downloadWheel, hasKeptWheel } from '../build/pip-wheel.ts';
import { readProgramVersions } from '../build/programs.ts';
import type { Progress } from '../build/progress.ts';
import { ABSENT } from '../build/sealed-folder.ts';
import { withSetupLock } from '../build/setup-lock.ts';
import { clearTraces, inStagingFolder } from '../build/staging.ts';
import { BUILD_BYTES, buildKernels, checkKernels } from '../engines/kernels/build.ts';
import { findKernels, type KernelsLocation } from '../engines/kernels/library.ts';
import { checkCompiler, checkMachine, currentMachine } from '../engines/kernels/requirements.ts';
import { buildLibrary } from '../engines/tensorflow/build.ts';
import { faultOfLibrary, type LibraryLocation } from '../engines/tensorflow/library.ts';
import { fetchPackage, findPackage } from '../engines/tensorflow/package.ts';
import { checkPlatform, checkPrograms, currentPlatform } from '../engines/tensorflow/preflight.ts';
import { neededBytes, WHEEL } from '../engines/tensorflow/wheel.ts';

/** How a set-up runs. */
export interface InstallOptions {
  readonly progress: Progress;
  /** Kills the children and removes the staging folder when it aborts; the set-up rejects with its reason. */
  readonly signal: AbortSignal;
  /** Whether to try also when the set-up before has failed. */
  readonly again: boolean;
}

/** Whether TensorFlow is set up. @throws GanglionError `environment` when others may change it */
export function isTensorflowReady(location: LibraryLocation): boolean {
  return faultOfLibrary(location, 'whole') === undefined && findPackage() !== undefined;
}

/**
 * Why the kernels do not compute here, with their folder, or {@link ABSENT}; undefined when they do. They may be whole and still not load:
 * compiled for another C library, or on a file system without programs (noexec).
 *
 * @throws GanglionError `environment` when others may change them
 */
async function faultOfInstalledKernels(location: KernelsLocation, signal: AbortSignal): Promise<string | undefined> {
  const { folder, path, fault } = findKernels(location);
  if (fault !== undefined) return fault === ABSENT ? fault : `${folder} ${fault}`;
  try {
    await checkKernels(path, signal);
    return undefined;
  } catch (error) {
    if (!(error instanceof GanglionError)) throw error;
    return `${folder} cannot be used: ${error.message}`;
  }
}

/** What is said before the kernels are compiled. @param fault as {@link lookAtKernels} returns it */
export function compilingLine(fault: string): string {
  return `compiling the kernels${fault === ABSENT ? '' : `: ${fault}`}`;
}

/** Adds to an error of a set-up why it was needed. */
function because(fault: string, error: unknown): unknown {
  if (fault === ABSENT || !(error instanceof GanglionError) || fault.endsWith(error.message)) return error;
  return new GanglionError(error.code, `${fault}; ${error.message}`, { cause: error });
}

/**
 * Looks whether the kernels are there, or could be compiled. Changes nothing.
 *
 * @param again whether they would be tried also when the set-up before has failed
 * @returns undefined when they compute here, else why they are to be compiled: {@link ABSENT}, or a fault
 * @throws GanglionError `environment` for everything that stands in the way and can be seen before
 */
export async function lookAtKernels(
  location: KernelsLocation,
  again: boolean,
  signal: AbortSignal,
): Promise<string | undefined> {
  checkMachine(currentMachine());
  const fault = await faultOfInstalledKernels(location, signal);
  if (fault === undefined) return undefined;
  try {
    refuseRemembered(location.kernelsFolder, again);
    checkCompiler();
    await checkCacheFolder(location.cacheFolder);
    return fault;
  } catch (error) {
    throw because(fault, error);
  }
}

/**
 * Compiles the kernels where they are missing, damaged or do not load; waits for another set-up of the same cache folder.
 *
 * @throws GanglionError `environment` for everything that stands in the way and a user can mend
 */
export async function installKernels(location: KernelsLocation, options: InstallOptions): Promise<void> {
  const { cacheFolder, kernelsFolder } = location;
  const { progress, again } = options;
  const before = await lookAtKernels(location, again, options.signal);
  if (before === undefined) return;
  try {
    await locked(cacheFolder, BUILD_BYTES, options, async (signal) => {
      const fault = await faultOfInstalledKernels(location, signal);
      if (fault === undefined) return;
      refuseRemembered(kernelsFolder, again);
      await clearTraces(kernelsFolder);
      await checkDisk(cacheFolder, BUILD_BYTES);
      progress.line(compilingLine(fault));
      await inStagingFolder(kernelsFolder, signal, (staging) => buildKernels(location, staging, signal));
    });
  } catch (error) {
    throw because(before, error);
  }
}

/**
 * Looks whether TensorFlow is there, or could be set up. Changes nothing.
 *
 * @returns whether it is to be set up
 * @throws GanglionError `environment` for everything that stands in the way and can be seen before
 */
export async function lookAtTensorflow(location: LibraryLocation, signal?: AbortSignal): Promise<boolean> {
  if (isTensorflowReady(location)) return false;
  checkPlatform(currentPlatform());
  if (faultOfLibrary(location, 'whole') !== undefined) checkPrograms(await readProgramVersions(signal));
  await checkCacheFolder(location.cacheFolder);
  return true;
}

/**
 * Fetches and builds TensorFlow where it is missing or damaged; waits for another set-up of the same cache folder.
 *
 * @throws GanglionError `environment` for everything that stands in the way and a user can mend
 */
export async function installTensorflow(location: LibraryLocation, options: InstallOptions): Promise<void> {
  const { cacheFolder, libraryFolder } = location;
  const { progress, again } = options;
  if (!(await lookAtTensorflow(location, options.signal))) return;
  await locked(cacheFolder, neededBytes(false), options, async (signal) => {
    if (isTensorflowReady(location)) return;
    refuseRemembered(libraryFolder, again);
    await clearTraces(libraryFolder);
    const needsLibrary = faultOfLibrary(location, 'whole') !== undefined;
    const haveWheel = needsLibrary && (await hasKeptWheel(cacheFolder, WHEEL, signal));
    if (needsLibrary) await checkDisk(cacheFolder, neededBytes(haveWheel));
    await inStagingFolder(libraryFolder, signal, async (staging) => {
      if (haveWheel) progress.line('using the TensorFlow download of an earlier set-up');
      else if (needsLibrary) await downloadWheel(WHEEL, neededBytes(false), cacheFolder, staging, progress, signal);
      if (findPackage() === undefined) {
        progress.line('fetching @tensorflow/tfjs-node-gpu');
        await fetchPackage(staging, signal);
      }
      if (needsLibrary) await buildLibrary(location, staging, progress, signal);
    });
  });
}

/** Runs `work` in the cache folder, with the lock of set-ups, and names a full disk. */
export async function locked(
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
export function refuseRemembered(folder: string, again: boolean): void {
  const reason = again ? undefined : recallFailure(folder);
  if (reason !== undefined) throw new GanglionError('environment', reason);
}
