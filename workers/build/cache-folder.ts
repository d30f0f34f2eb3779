// The folder that everything lies in that Ganglion builds or fetches for this machine: kernels and libraries, each in a folder of its own
// whose name says what it was made from, the lock of set-ups, logs and staging folders. Several checkouts share it.
import { existsSync } from 'node:fs';
import { access, constants, mkdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { GanglionError, messageOf, systemErrorCode } from '../../shared/error.ts';

/** Cache root: `$GANGLION_CACHE`, else `$XDG_CACHE_HOME/ganglion` (absolute ones only, as the XDG standard asks), else `~/.cache/ganglion`. */
export function toCacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  if (env.GANGLION_CACHE) return resolve(env.GANGLION_CACHE);
  if (env.XDG_CACHE_HOME && isAbsolute(env.XDG_CACHE_HOME)) return join(env.XDG_CACHE_HOME, 'ganglion');
  return join(env.HOME || homedir(), '.cache', 'ganglion');
}

/** Makes the cache folder. @throws GanglionError when it cannot be made or written. */
export async function prepareCacheFolder(cacheFolder: string): Promise<void> {
  try {
    await makeFolder(cacheFolder, 0o700); // programs are loaded from it: nobody else may write it
    await access(cacheFolder, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new GanglionError(
      'environment',
      `cannot write to the cache folder ${cacheFolder} (${systemErrorCode(error) ?? messageOf(error)}); set GANGLION_CACHE to a folder you may write`,
      { cause: error },
    );
  }
}

/** Makes a folder and those above it; why not by Node's recursive form, coordinator/files/make-folder.ts says. */
async function makeFolder(path: string, mode: number): Promise<void> {
  if (existsSync(path)) return;
  await makeFolder(dirname(path), mode);
  await mkdir(path, mode).catch((error: unknown) => {
    if (systemErrorCode(error) !== 'EEXIST') throw error;
  });
}
