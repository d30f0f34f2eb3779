// Builds Ganglion's kernels where they are missing, and what the set-ups share. One set-up at a time for a cache folder.
import { GanglionError, systemErrorCode } from '../../shared/error.ts';
import { checkCacheFolder, prepareCacheFolder } from '../build/cache-folder.ts';
import { checkDisk, diskError } from '../build/disk.ts';
import { recallFailure } from '../build/failed-setup.ts';
import type { Progress } from '../build/progress.ts';
import { ABSENT } from '../build/sealed-folder.ts';
import { withSetupLock } from '../build/setup-lock.ts';
import { clearTraces, inStagingFolder } from '../build/staging.ts';
import { BUILD_BYTES, buildKernels, checkKernels } from '../engines/kernels/build.ts';
import { findKernels, type KernelsLocation } from '../engines/kernels/library.ts';
import { checkCompiler, checkMachine, currentMachine } from '../engines/kernels/requirements.ts';

/** How a set-up runs. */
export interface InstallOptions {
  readonly progress: Progress;
  /** Kills the children and removes the staging folder when it aborts; the set-up rejects with its reason. */
  readonly signal: AbortSignal;
  /** Whether to try also when the set-up before has failed. */
  readonly again: boolean;
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
