// Decides when a lost replica is started again, and when the run gives up instead.
import { GanglionError } from '../../shared/error.ts';

/** Losses are counted over this time. */
export const WINDOW_MS = 60_000;
const FIRST_DELAY_MS = 50;
const LONGEST_DELAY_MS = 10_000;
/** Reasons that a message shows; the newest. */
const SHOWN = 5;

export interface RestartPolicyOptions {
  /** Restarts within {@link WINDOW_MS} that a run survives. */
  readonly maxRestarts: number;
  /** Monotonic clock in milliseconds. */
  readonly now: () => number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

export class RestartPolicy {
  readonly #options: RestartPolicyOptions;
  #losses: { readonly ms: number; readonly why: string }[] = [];

  constructor(options: RestartPolicyOptions) {
    this.#options = options;
  }

  /**
   * Counts a loss.
   *
   * @param why one line
   * @throws GanglionError `faults` when there were too many
   */
  lost(why: string): void {
    const { maxRestarts, now } = this.#options;
    this.#losses = [...this.#losses.filter(({ ms }) => ms > now() - WINDOW_MS), { ms: now(), why }];
    const count = this.#losses.length;
    if (count <= maxRestarts) return;
    const reasons = this.#losses.slice(-SHOWN).map((loss) => loss.why);
    const more = count > SHOWN ? `; and ${count - SHOWN} before` : '';
    throw new GanglionError(
      'faults',
      `${count} replicas lost within ${WINDOW_MS / 1000} s, expected at most ${maxRestarts} (--max-restarts): ${reasons.join('; ')}${more}`,
    );
  }

  /**
   * Exponential backoff with jitter, as a crowd that comes back at once may fail at once (Brooker, "Exponential Backoff And
   * Jitter", AWS Architecture Blog, 2015).
   *
   * @param failures losses of this replica in a row, without a shard done between them; from 1
   * @returns milliseconds
   */
  delayMs(failures: number): number {
    const longest = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** (failures - 1));
    return longest * (0.5 + 0.5 * this.#options.random());
  }
}
