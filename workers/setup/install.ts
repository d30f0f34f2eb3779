// Builds what native needs: the library (download, extract, compile, check, move into place), then Ganglion's kernels, each where it is
// missing. Without the kernels native computes too, only slower, so what stands in their way is no failure of the set-up.

import { rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { GanglionError, messageOf, systemErrorCode } from '../../shared/error.ts';
import { checkAddon, compileAddon } from '../build/compile.ts';
import { recallFailure } from '../build/failed-setup.ts';
import {
  checkDisk,
  checkPlatform,
  checkPrograms,
  currentPlatform,
  diskError,
  neededBytes,
  prepareCacheFolder,
} from '../build/preflight.ts';
import { readProgramVersions } from '../build/programs.ts';
import type { Progress } from '../build/progress.ts';
import { withSetupLock } from '../build/setup-lock.ts';
import { clearTraces, inStagingFolder, moveIntoPlace } from '../build/staging.ts';
import { BUILD_BYTES, buildKernels } from '../engines/kernels/build.ts';
import { areKernelsReady, type KernelsLocation } from '../engines/kernels/library.ts';
import { downloadWheel, hasKeptWheel, keptWheelPath } from '../engines/tensorflow/download.ts';
import { extractWheel } from '../engines/tensorflow/extract.ts';
import { isReady, type LibraryLocation, toManifest } from '../engines/tensorflow/library.ts';
import { WHEEL } from '../engines/tensorflow/wheel.ts';

/** Where the parts of native lie, all in one cache folder. */
export interface NativeLocations {
  readonly library: LibraryLocation;
  readonly kernels: KernelsLocation;
}

/** Which parts to try also when the set-up before has failed to build them. */
export interface Again {
  readonly library: boolean;
  readonly kernels: boolean;
}

/** Whether nothing is left to build. */
export function isInstalled({ library, kernels }: NativeLocations): boolean {
  return isReady(library) && areKernelsReady(kernels);
}

/**
 * Builds the native library and the kernels where they are missing; waits for another set-up of the same cache folder.
 * When `signal` aborts, children are killed and the staging folder is removed before it rejects with `signal.reason`.
 *
 * @returns why there are no kernels, beside a library that is ready; undefined when there are
 * @throws GanglionError with code `environment` for everything that stands in the way of the library and a user can mend.
 */
export async function install(
  locations: NativeLocations,
  progress: Progress,
  signal: AbortSignal,
  again: Again,
): Promise<string | undefined> {
  const { library, kernels } = locations;
  const { cacheFolder } = library;
  try {
    // before the lock, which a start that changes nothing does not wait for
    if (isReady(library)) refuseRemembered(kernels.kernelsFolder, again.kernels);
    checkPlatform(currentPlatform());
    await prepareCacheFolder(cacheFolder);
    const onWait = () => progress.line('waiting for another set-up that is running, or was killed seconds ago');
    await withSetupLock(cacheFolder, signal, onWait, async (lockedSignal) => {
      if (!isReady(library)) {
        refuseRemembered(library.libraryFolder, again.library);
        await installLibrary(library, progress, lockedSignal);
      }
      if (!areKernelsReady(kernels)) {
        refuseRemembered(kernels.kernelsFolder, again.kernels);
        await installKernels(kernels, progress, lockedSignal);
      }
    });
    return undefined;
  } catch (error) {
    const code = systemErrorCode(error);
    const ready = isReady(library);
    const full = code === 'ENOSPC' || code === 'EDQUOT';
    const reason = full ? diskError(cacheFolder, undefined, ready ? BUILD_BYTES : neededBytes(false)) : error;
    const expected = reason instanceof GanglionError || code !== undefined;
    if (ready && expected && !signal.aborted) return messageOf(reason);
    throw reason;
  }
}

/** @throws GanglionError with the reason why the set-up before could not build `folder`, unless it is to be tried `again` */
function refuseRemembered(folder: string, again: boolean): void {
  const reason = again ? undefined : recallFailure(folder);
  if (reason !== undefined) throw new GanglionError('environment', reason);
}

async function installLibrary(location: LibraryLocation, progress: Progress, signal: AbortSignal): Promise<void> {
  const { cacheFolder, libraryFolder } = location;
  await clearTraces(libraryFolder);
  checkPrograms(await readProgramVersions(signal));
  const haveWheel = await hasKeptWheel(cacheFolder, signal);
  await checkDisk(cacheFolder, neededBytes(haveWheel));
  await inStagingFolder(libraryFolder, signal, async (staging) => {
    if (haveWheel) progress.line('using the TensorFlow download of an earlier set-up');
    else await downloadWheel(cacheFolder, staging, progress, signal);
    await build(location, staging, progress, signal);
  });
}

async function installKernels(location: KernelsLocation, progress: Progress, signal: AbortSignal): Promise<void> {
  const { cacheFolder, kernelsFolder } = location;
  await clearTraces(kernelsFolder);
  await checkDisk(cacheFolder, BUILD_BYTES);
  progress.line('compiling the kernels');
  await inStagingFolder(kernelsFolder, signal, (staging) => buildKernels(location, staging, signal));
}

async function build(
  location: LibraryLocation,
  staging: string,
  progress: Progress,
  signal: AbortSignal,
): Promise<void> {
  const wheelPath = keptWheelPath(location.cacheFolder);
  const headers = join(staging, 'include');
  const staged = join(staging, 'library');
  const libraries = join(staged, 'lib');
  const addonPath = join(staged, 'tfjs_binding.node');

  progress.line('extracting the TensorFlow library');
  const extracted = await extractWheel(wheelPath, { libraries, headers }, signal);
  progress.line('compiling the add-on');
  const logPath = join(location.cacheFolder, 'setup-compile.log');
  await compileAddon({ headers, libraries, addonPath, temporary: join(staging, 'gxx'), logPath }, signal);
  progress.line('checking that it loads');
  const tfVersion = await checkAddon(addonPath, signal);

  signal.throwIfAborted();
  await rm(wheelPath);
  const files = [
    { path: 'tfjs_binding.node', bytes: (await stat(addonPath)).size },
    ...extracted.map(({ path, bytes }) => ({ path: join('lib', path), bytes })),
  ];
  const manifest = toManifest(WHEEL.sha256, tfVersion, files);
  // staging becomes the library folder in one rename: the manifest needs no more than to be on disk before it
  await writeFile(join(staged, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`, { flush: true });
  await moveIntoPlace(staged, location.libraryFolder, join(staging, 'replaced'));
}
