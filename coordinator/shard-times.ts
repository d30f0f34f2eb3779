// How long a pass of a shard usually takes: what counts as late is learned from it.
import type { Pass } from '../shared/layout.ts';

/** Newest times that the median is taken over. */
const WINDOW = 63;

/** Running medians, in milliseconds. */
export class ShardTimes {
  readonly #times: Record<Pass, number[]> = { real: [], fake: [], generator: [] };

  add(pass: Pass, ms: number): void {
    const times = this.#times[pass];
    times.push(ms);
    if (times.length > WINDOW) times.shift();
  }

  /** Undefined before the first time. */
  median(pass: Pass): number | undefined {
    const times = this.#times[pass].toSorted((a, b) => a - b);
    return times[Math.floor(times.length / 2)];
  }
}
