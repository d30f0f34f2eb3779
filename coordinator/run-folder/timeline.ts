// The timeline of a run in memory: its newest events.
import type { LiveEvent } from '../../shared/live-protocol.ts';
import { toPrintable } from '../../shared/printable.ts';
import type { Environment } from './environment.ts';

/** Newest events kept. */
const KEPT = 500;

/** An event as events.jsonl has it. */
export interface StoredEvent extends Omit<LiveEvent, 'seq'> {
  /** The machine from here on; only of `start` and `resume`. */
  readonly environment?: Environment;
  /** Events that it stands for, where these are more than one. */
  readonly count?: number;
}

export class Timeline {
  #events: LiveEvent[] = [];
  #seq = 0;
  readonly #store: (event: StoredEvent) => void;
  readonly #now: () => number;

  /**
   * @param store brings an event to the disk
   * @param now milliseconds since 1970
   */
  constructor(store: (event: StoredEvent) => void = () => {}, now: () => number = Date.now) {
    this.#store = store;
    this.#now = now;
  }

  /** Number of the newest event; 0 before the first. */
  get seq(): number {
    return this.#seq;
  }

  get events(): readonly LiveEvent[] {
    return this.#events;
  }

  /** Adds an event of now. */
  add({ step, kind, text, ...more }: Omit<StoredEvent, 'time'>): void {
    const event = { time: this.#now(), step, kind, text, ...more };
    this.#store(event);
    this.recall(event);
  }

  /** Adds an earlier event, which is on disk already. */
  recall({ time, step, kind, text }: StoredEvent): void {
    this.#events.push({ seq: ++this.#seq, time, step, kind, text: toPrintable(text) });
    if (this.#events.length >= 2 * KEPT) this.#events = this.#events.slice(-KEPT);
  }

  /** Events after one; undefined when some of them are no longer kept, or are still to come. */
  after(seq: number): readonly LiveEvent[] | undefined {
    const kept = this.#events.at(0)?.seq ?? this.#seq + 1;
    if (seq > this.#seq || seq < kept - 1) return undefined;
    return this.#events.filter((event) => event.seq > seq);
  }
}
