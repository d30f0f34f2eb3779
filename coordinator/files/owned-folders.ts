// The folders that this process, or this thread of it, holds the lock of. Whatever writes, renames or removes a file asks here first, by
// the file's path: so no log can be forgotten, and a process that has lost a folder changes nothing in it.
import { resolve, sep } from 'node:path';
import { GanglionError } from '../../shared/error.ts';

/** Throws when the folder is another process's by now. */
type Check = () => void;

const checks = new Map<string, Check>();

/** Checks every write below a folder from now on. @returns ends that */
export function checkWritesBelow(folder: string, check: Check): () => void {
  const key = resolve(folder) + sep;
  checks.set(key, check);
  return () => void checks.delete(key);
}

/** To be called right before a file changes. @throws GanglionError `environment` when its folder was taken over */
export function checkOwned(path: string): void {
  for (const [folder, check] of checks) {
    if (path.startsWith(folder)) check();
  }
}

/** Whether files at this path, a file's or a folder's, may still be changed. */
export function isOwned(path: string): boolean {
  try {
    checkOwned(resolve(path) + sep);
    return true;
  } catch (error) {
    if (error instanceof GanglionError) return false;
    throw error;
  }
}
