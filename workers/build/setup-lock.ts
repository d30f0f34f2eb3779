// One set-up at a time for a cache folder, across processes: the second waits, and finds the work done. The lock has a
// heartbeat, so one left by a killed process is taken over after LOCK_STALE_MS.

import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { lock } from 'proper-lockfile';
import { GanglionError, systemErrorCode } from '../../shared/error.ts';

const LOCK_STALE_MS = 10_000;
const LOCK_UPDATE_MS = 2_000;
const RETRY_MS = 250;

/**
 * Runs `work` while holding the set-up lock of `cacheFolder`, which must exist. `onWait` is called once if another set-up
 * holds it. `work` gets a signal that also aborts when the lock is lost (the machine slept and another set-up took over).
 *
 * @throws what `work` throws; the reason of the abort once its signal has aborted.
 */
export async function withSetupLock<Result>(
  cacheFolder: string,
  signal: AbortSignal,
  onWait: () => void,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const lost = new AbortController();
  const onCompromised = (cause: Error) =>
    lost.abort(new GanglionError('environment', 'another set-up took over the lock; run: npm run setup', { cause }));
  const release = await acquire(cacheFolder, signal, onWait, onCompromised);
  const either = AbortSignal.any([signal, lost.signal]);
  try {
    return await work(either);
  } catch (error) {
    throw either.aborted ? either.reason : error; // streams and timers reject with an AbortError of their own
  } finally {
    if (!lost.signal.aborted) await release();
  }
}

async function acquire(
  cacheFolder: string,
  signal: AbortSignal,
  onWait: () => void,
  onCompromised: (error: Error) => void,
): Promise<() => Promise<void>> {
  const options = {
    lockfilePath: join(cacheFolder, 'setup.lock'),
    stale: LOCK_STALE_MS,
    update: LOCK_UPDATE_MS,
    onCompromised,
  };
  for (let waiting = false; ; waiting = true) {
    signal.throwIfAborted();
    try {
      return await lock(cacheFolder, options);
    } catch (error) {
      if (systemErrorCode(error) !== 'ELOCKED') throw error;
    }
    if (!waiting) onWait();
    await delay(RETRY_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}
