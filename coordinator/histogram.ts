// A histogram for prom-client's registry that counts in plain arrays. A step observes some hundred times, and prom-client's own makes a
// string of the labels for each, which took a third of a commit; here a series is looked up once, before the first step.
import type { Metric, Registry } from 'prom-client';

export interface HistogramOptions {
  readonly name: string;
  readonly help: string;
  /** Upper bounds, ascending. */
  readonly buckets: readonly number[];
  readonly registers: readonly Registry[];
}

/** The observations under one set of labels. */
export class HistogramSeries {
  readonly labels: Readonly<Record<string, string>>;
  readonly #bounds: readonly number[];
  /** Observations a bucket, those of smaller ones not included. */
  readonly #counts: Float64Array;
  #sum = 0;
  #count = 0;

  constructor(labels: Readonly<Record<string, string>>, bounds: readonly number[]) {
    this.labels = labels;
    this.#bounds = bounds;
    this.#counts = new Float64Array(bounds.length);
  }

  get count(): number {
    return this.#count;
  }

  observe(value: number): void {
    this.#sum += value;
    this.#count += 1;
    for (let b = 0; b < this.#bounds.length; b++) {
      if (value > (this.#bounds[b] as number)) continue;
      this.#counts[b] = (this.#counts[b] as number) + 1;
      return;
    }
  }

  /** The samples of a scrape: each bucket with all smaller ones, sum and count. */
  samplesOf(name: string) {
    let below = 0;
    const buckets = this.#bounds.map((le, b) => {
      below += this.#counts[b] as number;
      return { metricName: `${name}_bucket`, labels: { le, ...this.labels }, value: below };
    });
    return [
      ...buckets,
      { metricName: `${name}_bucket`, labels: { le: '+Inf', ...this.labels }, value: this.#count },
      { metricName: `${name}_sum`, labels: this.labels, value: this.#sum },
      { metricName: `${name}_count`, labels: this.labels, value: this.#count },
    ];
  }
}

/** All series of a histogram. One with labels is shown from its first observation on, as prom-client's are. */
export class Histogram {
  readonly name: string;
  readonly #help: string;
  readonly #buckets: readonly number[];
  readonly #series: HistogramSeries[] = [];

  constructor({ name, help, buckets, registers }: HistogramOptions) {
    this.name = name;
    this.#help = help;
    this.#buckets = buckets;
    // A registry asks a metric for its name, and at a scrape for `get`; prom-client's types name its own classes only.
    for (const registry of registers) registry.registerMetric(this as unknown as Metric);
  }

  /** A new series. */
  series(labels: Readonly<Record<string, string>> = {}): HistogramSeries {
    const series = new HistogramSeries(labels, this.#buckets);
    this.#series.push(series);
    return series;
  }

  /** What prom-client writes down. */
  async get() {
    const shown = this.#series.filter(({ count, labels }) => count > 0 || Object.keys(labels).length === 0);
    const values = shown.flatMap((series) => series.samplesOf(this.name));
    return { name: this.name, help: this.#help, type: 'histogram', aggregator: 'sum', values };
  }
}
