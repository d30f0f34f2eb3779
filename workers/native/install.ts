// Builds the native library: download, extract, compile, check, move into place. Everything happens in a staging folder
// that becomes the library folder by one rename, so a set-up killed at any moment leaves either no library or a whole one.

import { mkdtemp, open, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { GanglionError, systemErrorCode } from '../../shared/error.ts';
import { checkAddon, compileAddon } from './compile.ts';
import { downloadWheel, hasKeptWheel, keptWheelPath } from './download.ts';
import { extractWheel } from './extract.ts';
import { forgetFailure, recallFailure, rememberFailure } from './failed-setup.ts';
import { isReady, type LibraryLocation, toManifest } from './library.ts';
import {
  checkDisk,
  checkPlatform,
  checkPrograms,
  currentPlatform,
  diskError,
  isDiskError,
  neededBytes,
  prepareCacheFolder,
} from './preflight.ts';
import { readProgramVersions } from './programs.ts';
import type { Progress } from './progress.ts';
import { withSetupLock } from './setup-lock.ts';
import { WHEEL } from './wheel.ts';

const STAGING_PREFIX = 'staging-';

/**
 * Installs the native library unless it is ready; waits for another set-up of the same cache folder.
 * When `signal` aborts, children are killed and the staging folder is removed before it rejects with `signal.reason`.
 *
 * @param again whether to try also when the set-up before has failed; else that one's reason is thrown
 * @throws GanglionError with code `environment` for everything a user can mend.
 */
export async function installLibrary(
  location: LibraryLocation,
  progress: Progress,
  signal: AbortSignal,
  { again }: { readonly again: boolean },
): Promise<void> {
  const { cacheFolder } = location;
  checkPlatform(currentPlatform());
  await prepareCacheFolder(cacheFolder);
  const onWait = () => progress.line('waiting for another set-up that is running, or was killed seconds ago');
  try {
    await withSetupLock(cacheFolder, signal, onWait, async (lockedSignal) => {
      if (isReady(location)) return;
      const reason = again ? undefined : recallFailure(location);
      if (reason !== undefined) throw new GanglionError('environment', reason);
      await installLocked(location, progress, lockedSignal);
    });
  } catch (error) {
    const code = systemErrorCode(error);
    if (code !== 'ENOSPC' && code !== 'EDQUOT') throw error;
    throw diskError(cacheFolder, undefined, neededBytes(false));
  }
}

async function installLocked(location: LibraryLocation, progress: Progress, signal: AbortSignal): Promise<void> {
  const { cacheFolder } = location;
  await removeStagingFolders(cacheFolder);
  forgetFailure(location);
  checkPrograms(await readProgramVersions(signal));
  const haveWheel = await hasKeptWheel(cacheFolder, signal);
  await checkDisk(cacheFolder, haveWheel);
  const staging = await mkdtemp(join(cacheFolder, STAGING_PREFIX));
  try {
    if (haveWheel) progress.line('using the TensorFlow download of an earlier set-up');
    else await downloadWheel(cacheFolder, staging, progress, signal);
    await build(location, staging, progress, signal);
  } catch (error) {
    if (error instanceof GanglionError && !signal.aborted && !isDiskError(error)) {
      rememberFailure(location, error.message);
    }
    throw error;
  } finally {
    await removeFolder(staging);
  }
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
  await moveIntoPlace(staged, location, join(staging, 'replaced'));
}

/** A damaged library is moved aside first: rename does not replace a folder that has files. */
async function moveIntoPlace(staged: string, location: LibraryLocation, aside: string): Promise<void> {
  await rename(location.libraryFolder, aside).catch((error: unknown) => {
    if (systemErrorCode(error) !== 'ENOENT') throw error;
  });
  await rename(staged, location.libraryFolder);
  const folder = await open(location.cacheFolder, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Staging folders of set-ups that were killed; safe under the lock, as only its holder has one. */
async function removeStagingFolders(cacheFolder: string): Promise<void> {
  const names = (await readdir(cacheFolder)).filter((name) => name.startsWith(STAGING_PREFIX));
  for (const name of names) await removeFolder(join(cacheFolder, name));
}

/** Tries again when a pip orphaned by a SIGKILL is still writing into the folder. */
async function removeFolder(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
}
