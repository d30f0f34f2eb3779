import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { withSetupLock } from '../../../../workers/build/setup-lock.ts';

describe('withSetupLock', () => {
  let folder: string;
  const never = new AbortController().signal;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'ganglion-lock-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('lets one in at a time and tells the other once that it waits', async () => {
    const events: string[] = [];
    const work = (name: string) => async () => {
      events.push(`${name} begins`);
      await delay(700);
      events.push(`${name} ends`);
    };
    const first = withSetupLock(folder, never, () => events.push('first waits'), work('first'));
    await delay(100);
    const second = withSetupLock(folder, never, () => events.push('second waits'), work('second'));
    await Promise.all([first, second]);
    expect(events).toEqual(['first begins', 'second waits', 'first ends', 'second begins', 'second ends']);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('gives the lock back when the work fails', async () => {
    const failure = new Error('no');
    await expect(
      withSetupLock(
        folder,
        never,
        () => {},
        () => Promise.reject(failure),
      ),
    ).rejects.toBe(failure);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('stops waiting on abort', async () => {
    const controller = new AbortController();
    const reason = new Error('stop');
    await withSetupLock(
      folder,
      never,
      () => {},
      async () => {
        const second = withSetupLock(
          folder,
          controller.signal,
          () => controller.abort(reason),
          async () => {},
        );
        await expect(second).rejects.toBe(reason);
      },
    );
  });

  it('aborts the work when the lock is lost', async () => {
    const working = withSetupLock(
      folder,
      never,
      () => {},
      async (signal) => {
        rmSync(join(folder, 'setup.lock'), { recursive: true });
        await delay(10_000, undefined, { signal });
      },
    );
    await expect(working).rejects.toThrow('another set-up took over the lock; run: npm run setup');
  });
});
