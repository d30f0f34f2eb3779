// Where everything lies that Ganglion builds, fetches or decodes for this machine.
import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';

/** Cache root: `$GANGLION_CACHE`, else `$XDG_CACHE_HOME/ganglion` (absolute ones only, as the XDG standard asks), else `~/.cache/ganglion`. */
export function toCacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  if (env.GANGLION_CACHE) return resolve(env.GANGLION_CACHE);
  if (env.XDG_CACHE_HOME && isAbsolute(env.XDG_CACHE_HOME)) return join(env.XDG_CACHE_HOME, 'ganglion');
  return join(env.HOME || homedir(), '.cache', 'ganglion');
}
