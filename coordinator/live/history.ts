// The curves of a run in memory that does not grow: the newest steps as they were, and of all steps buckets with mean, smallest and
// largest value. When the buckets are full, neighbours become one and each takes twice as many steps: after 100,000 steps, 16.
import { Buckets } from './buckets.ts';

export interface HistoryOptions {
  /** Values a step. */
  readonly curves: number;
  /** Buckets kept, an even number. */
  readonly buckets?: number;
  /** Newest steps kept as they were. */
  readonly recent?: number;
}

export interface HistoryRange {
  readonly from: number;
  readonly to: number;
  /** The most buckets to answer with, at least 4. */
  readonly points: number;
}

/** A step, and a value a curve; NaN where there is none. */
export interface Row {
  readonly step: number;
  readonly values: Float64Array;
}

/** Steps are added in order; one that is not after the newest is ignored. */
export class History {
  readonly #buckets: Buckets;
  /** Steps a bucket, and in the newest. */
  #stride = 1;
  #filled = 0;
  /** The first step, exactly. */
  readonly #first: Buckets;
  /** Ring of the newest steps: step i of those added is at i % recent. */
  readonly #steps: Float64Array;
  readonly #values: Float64Array;
  #added = 0;
  #last = 0;

  constructor({ curves, buckets = 8192, recent = 2048 }: HistoryOptions) {
    if (buckets % 2 !== 0 || buckets < 2) throw new RangeError(`expected an even number of buckets, got ${buckets}`);
    this.#buckets = new Buckets(curves, buckets);
    this.#first = new Buckets(curves, 1);
    this.#steps = new Float64Array(recent);
    this.#values = new Float64Array(recent * curves);
  }

  /** Newest step; 0 before the first. */
  get last(): number {
    return this.#last;
  }

  add(step: number, values: ArrayLike<number>): void {
    if (step <= this.#last) return;
    this.#last = step;
    const at = this.#added++ % this.#steps.length;
    this.#steps[at] = step;
    for (let c = 0; c < this.#buckets.curves; c++) {
      this.#values[at * this.#buckets.curves + c] = values[c] ?? Number.NaN;
    }
    if (this.#first.length === 0) this.#first.push(step, values);
    if (this.#filled > 0 && this.#filled < this.#stride) {
      this.#buckets.add(step, values);
      this.#filled += 1;
      return;
    }
    if (this.#buckets.length === this.#buckets.capacity) {
      this.#buckets.halve();
      this.#stride *= 2;
    }
    this.#buckets.push(step, values);
    this.#filled = 1;
  }

  /** Steps after `step` as they were, oldest first; undefined when they go back further than what is kept, or are to come. */
  after(step: number): Row[] | undefined {
    if (step > this.#last) return undefined;
    const kept = Math.min(this.#added, this.#steps.length);
    const rows: Row[] = [];
    for (let back = 1; back <= kept; back++) {
      const row = this.#recent(this.#added - back);
      if (row.step <= step) return rows.toReversed();
      rows.push(row);
    }
    return kept === this.#added ? rows.toReversed() : undefined;
  }

  /**
   * The steps from one to another, in at most so many buckets. Where these are of several steps, the first step of the run and the
   * newest have a bucket of their own beside.
   */
  read({ from, to, points }: HistoryRange): Buckets {
    const source = this.#exactly(from) ?? this.#buckets;
    const indices: number[] = [];
    for (let b = 0; b < source.length; b++) {
      if ((source.lastStep[b] ?? 0) >= from && (source.firstStep[b] ?? 0) <= to) indices.push(b);
    }
    // Single steps that fit are given as they are; else there must be room for the ends.
    const single = source !== this.#buckets || this.#stride === 1;
    const size = single && indices.length <= points ? 1 : Math.max(1, Math.ceil(indices.length / (points - 2)));
    const thinned = new Buckets(source.curves, Math.ceil(indices.length / size) + 2);
    const ofSeveral = (b: number): boolean => thinned.firstStep[b] !== thinned.lastStep[b];
    const first = this.#first.firstStep[0];
    if ((size > 1 || !single) && indices.length > 0 && first !== undefined && from <= first)
      thinned.pushFrom(this.#first, 0);
    for (const [i, b] of indices.entries()) {
      if (i % size === 0) thinned.pushFrom(source, b);
      else thinned.addFrom(source, b);
    }
    if (thinned.length > 0 && ofSeveral(thinned.length - 1) && to >= this.#last) {
      const { step, values } = this.#recent(this.#added - 1);
      thinned.push(step, values);
    }
    return thinned;
  }

  /** Step i of those added. */
  #recent(i: number): Row {
    const { curves } = this.#buckets;
    const at = i % this.#steps.length;
    return { step: this.#steps[at] ?? 0, values: this.#values.slice(at * curves, (at + 1) * curves) };
  }

  /** A bucket a step, where all steps from `from` on are kept as they were. */
  #exactly(from: number): Buckets | undefined {
    const rows = this.after(Math.min(from - 1, this.#last));
    if (!rows) return undefined;
    const exact = new Buckets(this.#buckets.curves, rows.length);
    for (const { step, values } of rows) exact.push(step, values);
    return exact;
  }
}
