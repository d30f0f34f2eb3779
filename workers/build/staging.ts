// A staging folder in the cache folder: what is built in it moves to its place by one rename, so a set-up killed at any moment leaves
// either nothing or all of it. Only the holder of the set-up lock has one.

import { mkdtemp, open, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { GanglionError, systemErrorCode } from '../../shared/error.ts';
import { isDiskError } from './disk.ts';
import { forgetFailure, rememberFailure } from './failed-setup.ts';

const STAGING_PREFIX = 'staging-';

/**
 * Runs `work`, which is to build `target`, with a new staging folder beside it, and removes that. When it fails for a reason that
 * takes time to find out, the reason is remembered for `target`.
 *
 * @throws what `work` throws
 */
export async function inStagingFolder(
  target: string,
  signal: AbortSignal,
  work: (staging: string) => Promise<void>,
): Promise<void> {
  const staging = await mkdtemp(join(dirname(target), STAGING_PREFIX));
  try {
    await work(staging);
  } catch (error) {
    if (error instanceof GanglionError && !signal.aborted && !isDiskError(error)) {
      rememberFailure(target, error.message);
    }
    throw error;
  } finally {
    await removeFolder(staging);
  }
}

/**
 * Makes the finished folder `staged` be `target`, on disk. A damaged `target` is moved to `aside` first: rename does not replace a
 * folder that has files.
 */
export async function moveIntoPlace(staged: string, target: string, aside: string): Promise<void> {
  await rename(target, aside).catch((error: unknown) => {
    if (systemErrorCode(error) !== 'ENOENT') throw error;
  });
  await rename(staged, target);
  const folder = await open(dirname(target), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Clears what set-ups have left that were killed, or that failed to build `target`. */
export async function clearTraces(target: string): Promise<void> {
  const cacheFolder = dirname(target);
  const names = (await readdir(cacheFolder)).filter((name) => name.startsWith(STAGING_PREFIX));
  for (const name of names) await removeFolder(join(cacheFolder, name));
  forgetFailure(target);
}

/** Tries again when a pip orphaned by a SIGKILL is still writing into the folder. */
async function removeFolder(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
}
