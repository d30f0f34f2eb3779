// Steps in groups, each with smallest, largest and mean value of every curve. All memory is taken at once.

export class Buckets {
  readonly curves: number;
  readonly capacity: number;
  readonly firstStep: Float64Array;
  readonly lastStep: Float64Array;
  /** Value c of bucket b is at b * curves + c. Values that are not finite are ignored. */
  readonly #min: Float64Array;
  readonly #max: Float64Array;
  readonly #sum: Float64Array;
  readonly #count: Uint32Array;
  #length = 0;

  constructor(curves: number, capacity: number) {
    this.curves = curves;
    this.capacity = capacity;
    this.firstStep = new Float64Array(capacity);
    this.lastStep = new Float64Array(capacity);
    this.#min = new Float64Array(capacity * curves);
    this.#max = new Float64Array(capacity * curves);
    this.#sum = new Float64Array(capacity * curves);
    this.#count = new Uint32Array(capacity * curves);
  }

  get length(): number {
    return this.#length;
  }

  /** A new bucket of one step. @throws RangeError when all are taken */
  push(step: number, values: ArrayLike<number>): void {
    this.#open(step);
    this.add(step, values);
  }

  /** Adds a step to the newest bucket. */
  add(step: number, values: ArrayLike<number>): void {
    const b = this.#length - 1;
    this.lastStep[b] = step;
    for (let c = 0; c < this.curves; c++) {
      const value = values[c] ?? Number.NaN;
      if (Number.isFinite(value)) this.#include(b * this.curves + c, value, value, value, 1);
    }
  }

  /** A new bucket with what bucket `at` of others has. @throws RangeError when all are taken */
  pushFrom(others: Buckets, at: number): void {
    this.#open(others.firstStep[at] ?? 0);
    this.addFrom(others, at);
  }

  /** Adds bucket `at` of others to the newest. */
  addFrom(others: Buckets, at: number): void {
    this.#merge(this.#length - 1, others, at);
  }

  mean(b: number, curve: number): number {
    const i = b * this.curves + curve;
    return (this.#sum[i] ?? 0) / (this.#count[i] ?? 0); // 0 / 0 is NaN, as it should be
  }

  min(b: number, curve: number): number {
    return this.#bound(this.#min, b * this.curves + curve);
  }

  max(b: number, curve: number): number {
    return this.#bound(this.#max, b * this.curves + curve);
  }

  /** Joins every two neighbours into one. */
  halve(): void {
    const { curves } = this;
    for (let b = 0; 2 * b < this.#length; b++) {
      const [left, right] = [2 * b, 2 * b + 1];
      this.firstStep[b] = this.firstStep[left] ?? 0;
      this.lastStep[b] = this.lastStep[left] ?? 0;
      for (const part of [this.#min, this.#max, this.#sum, this.#count]) {
        part.copyWithin(b * curves, left * curves, (left + 1) * curves);
      }
      if (right < this.#length) this.#merge(b, this, right);
    }
    this.#length = Math.ceil(this.#length / 2);
  }

  #open(step: number): void {
    if (this.#length === this.capacity) throw new RangeError(`expected at most ${this.capacity} buckets, got one more`);
    const b = this.#length++;
    this.firstStep[b] = step;
    this.#count.fill(0, b * this.curves, (b + 1) * this.curves);
    this.#sum.fill(0, b * this.curves, (b + 1) * this.curves);
  }

  #merge(b: number, others: Buckets, at: number): void {
    this.lastStep[b] = others.lastStep[at] ?? 0;
    for (let c = 0; c < this.curves; c++) {
      const i = at * this.curves + c;
      const count = others.#count[i] ?? 0;
      if (count === 0) continue;
      const [min = 0, max = 0, sum = 0] = [others.#min[i], others.#max[i], others.#sum[i]];
      this.#include(b * this.curves + c, min, max, sum, count);
    }
  }

  #include(i: number, min: number, max: number, sum: number, count: number): void {
    const before = this.#count[i] ?? 0;
    this.#min[i] = before === 0 ? min : Math.min(this.#min[i] ?? 0, min);
    this.#max[i] = before === 0 ? max : Math.max(this.#max[i] ?? 0, max);
    this.#sum[i] = (this.#sum[i] ?? 0) + sum;
    this.#count[i] = before + count;
  }

  #bound(bounds: Float64Array, i: number): number {
    return this.#count[i] === 0 ? Number.NaN : (bounds[i] ?? Number.NaN);
  }
}
