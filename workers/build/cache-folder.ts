// The folder that everything lies in that Ganglion builds or fetches for this machine: kernels and libraries, each in a folder of its own
// whose name says what it was made from, the lock of set-ups, logs and staging folders. Several checkouts share it.
import { existsSync } from 'node:fs';
import { access, constants, mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { GanglionError, messageOf, systemErrorCode } from '../../shared/error.ts';
import { checkTrusted } from './trusted-path.ts';

/** @throws GanglionError `environment` when the cache folder cannot be made or written, or others may write it. Changes nothing. */
export async function checkCacheFolder(cacheFolder: string): Promise<void> {
  const existing = nearestExisting(cacheFolder);
  try {
    await access(existing, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw cannotWrite(cacheFolder, error);
  }
  checkTrusted([existing], cacheFolder);
}

/** Makes the cache folder. @throws GanglionError as {@link checkCacheFolder} */
export async function prepareCacheFolder(cacheFolder: string): Promise<void> {
  try {
    await makeFolder(cacheFolder);
  } catch (error) {
    throw cannotWrite(cacheFolder, error);
  }
  await checkCacheFolder(cacheFolder);
}

function cannotWrite(cacheFolder: string, error: unknown): GanglionError {
  const reason = systemErrorCode(error) ?? messageOf(error);
  const message = `cannot write to the cache folder ${cacheFolder} (${reason}); set GANGLION_CACHE to a folder you may write`;
  return new GanglionError('environment', message, { cause: error });
}

function nearestExisting(path: string): string {
  return existsSync(path) ? path : nearestExisting(dirname(path));
}

/** Makes a folder and those above it, whatever the umask lets the group do; why not by Node's recursive form, coordinator/files/make-folder.ts says. */
async function makeFolder(path: string): Promise<void> {
  if (existsSync(path)) return;
  await makeFolder(dirname(path));
  await mkdir(path, 0o755).catch((error: unknown) => {
    if (systemErrorCode(error) !== 'EEXIST') throw error;
  });
}
