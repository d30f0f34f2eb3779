// The clock of tests of replicas: it stands still, and goes on when they say so.
import { afterEach, beforeEach, vi } from 'vitest';
import { settled } from './stub-replicas.ts';

/** Gives every test of the file such a clock. */
export function useFakeTime(): void {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });
}

/** Lets promises settle and `ms` pass, in turn, so that what one starts the other ends. */
export async function pass(ms: number): Promise<void> {
  for (let i = 0; i < 10; i++) {
    await settled();
    await vi.advanceTimersByTimeAsync(ms / 10);
  }
  await settled();
}
