// Learns how long a pass of a shard usually takes, and so what counts as late.
import type { Pass } from '../../shared/model/layout.ts';

/** Newest times that the median is taken over. */
const WINDOW = 63;

/** A replica this many times slower than the median, and by the margin, is a straggler: another one gets its shard, too. */
const STRAGGLER_FACTOR = 3;
const STRAGGLER_MARGIN_MS = 50;
/** A shard this many times slower than the median, and at least this late, counts as never coming. */
const DEADLINE_FACTOR = 50;
const DEADLINE_FLOOR_MS = 10_000;
/** Before anything is known of how long a shard takes. */
const FIRST_DEADLINE_MS = 120_000;

/** Weight of a new time in the mean. */
const MOVE = 1 / 16;

/** Running medians and means, in milliseconds. */
export class ShardTimes {
  readonly #times: Record<Pass, number[]> = { real: [], fake: [], generator: [] };
  readonly #means: Partial<Record<Pass, number>> = {};

  add(pass: Pass, ms: number): void {
    const times = this.#times[pass];
    times.push(ms);
    if (times.length > WINDOW) times.shift();
    const mean = this.#means[pass] ?? ms;
    this.#means[pass] = mean + (ms - mean) * MOVE;
  }

  /** Moves with the newest times; 1 before the first. */
  mean(pass: Pass): number {
    return this.#means[pass] ?? 1;
  }

  /** Undefined before the first time. */
  median(pass: Pass): number | undefined {
    const times = this.#times[pass].toSorted((a, b) => a - b);
    return times[Math.floor(times.length / 2)];
  }

  /** Whether a shard that has taken so long is late. Nearly always the margin tells, without a median. */
  isLate(pass: Pass, ms: number): boolean {
    return ms > STRAGGLER_MARGIN_MS && ms > this.lateAfterMs(pass);
  }

  /** Whether an answer that has taken so long counts as never coming. */
  isOverdue(pass: Pass | undefined, ms: number): boolean {
    return ms > DEADLINE_FLOOR_MS && ms > this.deadlineMs(pass);
  }

  /** When a shard is late; infinite before anything is known. */
  lateAfterMs(pass: Pass): number {
    const median = this.median(pass);
    return median === undefined ? Number.POSITIVE_INFINITY : STRAGGLER_FACTOR * median + STRAGGLER_MARGIN_MS;
  }

  /** When an answer counts as never coming: to a shard, or to anything else. */
  deadlineMs(pass: Pass | undefined): number {
    const median = pass === undefined ? undefined : this.median(pass);
    return median === undefined ? FIRST_DEADLINE_MS : Math.max(DEADLINE_FLOOR_MS, DEADLINE_FACTOR * median);
  }
}
