// @ts-check
// The points of the curves that are on the page: thinned ones from the coordinator, then every new step. No drawing.

/** @import { LiveHistory, LiveRow } from '../../shared/live-protocol.ts' */
/** @import { Curve } from '../../shared/step-scalars.ts' */

/** In the order in which a row has them; shared/step-scalars.ts says the same. @type {readonly Curve[]} */
export const CURVES = [
  'lossD',
  'lossG',
  'outputReal',
  'outputFake',
  'gradientNormD',
  'gradientNormG',
  'imagesPerSecond',
];

/** Points asked for, and how many there may be before they are thinned again. */
export const POINTS = 1000;
const MOST = 2000;

/** @typedef {(number | null)[]} Values */

export class Curves {
  /** @type {number[]} */
  steps = [];
  /** @type {Record<string, { mean: Values, min: Values, max: Values }>} */
  #points = {};
  /** Newest step known, in these points or before. */
  last = 0;

  /** @param {LiveHistory} history */
  load({ steps, curves, last }) {
    this.steps = [...steps];
    this.last = last;
    for (const curve of CURVES) {
      const { mean, min, max } = curves[curve];
      this.#points[curve] = { mean: [...mean], min: [...min], max: [...max] };
    }
  }

  /**
   * Adds steps that are new, up to `to`.
   *
   * @param {readonly LiveRow[]} rows
   * @param {number} to
   */
  append(rows, to) {
    for (const [step, ...values] of rows) {
      if (typeof step !== 'number' || step <= this.last) continue;
      this.last = step;
      if (step > to) continue;
      this.steps.push(step);
      for (const [i, curve] of CURVES.entries()) {
        const value = values[i] ?? null;
        const points = this.of(curve);
        points.mean.push(value);
        points.min.push(value);
        points.max.push(value);
      }
    }
  }

  /** Forgets points before a step. @param {number} from */
  forget(from) {
    const gone = this.steps.findIndex((step) => step >= from);
    if (gone <= 0) return;
    this.steps.splice(0, gone);
    for (const { mean, min, max } of Object.values(this.#points)) {
      for (const values of [mean, min, max]) values.splice(0, gone);
    }
  }

  /** Whether there are so many that they should be thinned. */
  get crowded() {
    return this.steps.length > MOST;
  }

  /** @param {Curve} curve */
  of(curve) {
    const points = this.#points[curve] ?? { mean: [], min: [], max: [] };
    this.#points[curve] = points;
    return points;
  }
}

/**
 * Exponential moving average over a time of so many steps, whatever the distance of the points.
 *
 * @param {readonly number[]} steps
 * @param {readonly (number | null)[]} values
 * @param {number} time in steps; 0 leaves the values as they are
 * @returns {(number | null)[]}
 */
export function smooth(steps, values, time) {
  if (time === 0) return [...values];
  let mean = 0;
  /** Weight of all values so far: without it, the first ones would be drawn to 0. */
  let weight = 0;
  let before = steps[0] ?? 0;
  return values.map((value, i) => {
    const step = steps[i] ?? before;
    const keep = Math.exp(-(step - before) / time);
    const gain = i === 0 ? 1 : 1 - keep;
    before = step;
    mean *= keep;
    weight *= keep;
    if (value === null) return weight > 0 ? mean / weight : null;
    mean += gain * value;
    weight += gain;
    return weight > 0 ? mean / weight : null;
  });
}
