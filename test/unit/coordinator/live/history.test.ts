import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Buckets } from '../../../../coordinator/live/buckets.ts';
import { History } from '../../../../coordinator/live/history.ts';

const ALL = { from: 0, to: Number.MAX_SAFE_INTEGER };

function historyOf(values: readonly number[], options: { buckets?: number; recent?: number } = {}): History {
  const history = new History({ curves: 1, ...options });
  for (const [i, value] of values.entries()) history.add(i + 1, [value]);
  return history;
}

/** Buckets of one curve, as plain objects. */
function listOf(buckets: Buckets) {
  return Array.from({ length: buckets.length }, (_, b) => ({
    first: buckets.firstStep[b] ?? Number.NaN,
    last: buckets.lastStep[b] ?? Number.NaN,
    mean: buckets.mean(b, 0),
    min: buckets.min(b, 0),
    max: buckets.max(b, 0),
  }));
}

describe('read', () => {
  it('gives every step as it was, while there is room', () => {
    const list = listOf(historyOf([3, 1, 2]).read({ ...ALL, points: 10 }));
    expect(list).toEqual(
      [3, 1, 2].map((value, i) => ({ first: i + 1, last: i + 1, mean: value, min: value, max: value })),
    );
  });

  it('keeps the smallest and the largest value, the mean, every step and both ends, however few points it has', () => {
    const value = fc.double({ min: -1e3, max: 1e3, noNaN: true }).map((each) => each + 0); // no -0
    const property = fc.property(
      fc.array(value, { minLength: 1, maxLength: 300 }),
      fc.constantFrom(4, 16, 64),
      fc.integer({ min: 4, max: 40 }),
      fc.constantFrom(1, 8, 1000),
      (values, buckets, points, recent) => {
        const list = listOf(historyOf(values, { buckets, recent }).read({ ...ALL, points }));
        expect(list.length).toBeLessThanOrEqual(points);
        expect(Math.min(...list.map(({ min }) => min))).toBe(Math.min(...values));
        expect(Math.max(...list.map(({ max }) => max))).toBe(Math.max(...values));
        expect(list[0]).toMatchObject({ first: 1, last: 1, mean: values[0] });
        expect(list.at(-1)).toMatchObject({ first: values.length, last: values.length, mean: values.at(-1) });
        for (const { first, last, mean } of list) {
          const own = values.slice(first - 1, last);
          expect(mean).toBeCloseTo(own.reduce((sum, each) => sum + each, 0) / own.length, 6);
        }
        // Those between the ends leave out no step.
        const between = list.filter(({ first, last }) => last > first);
        for (const [i, { first }] of between.entries()) if (i > 0) expect(first).toBe((between[i - 1]?.last ?? 0) + 1);
      },
    );
    fc.assert(property, { numRuns: 300 });
  });

  it('shows one step that stands out among 100,000', () => {
    const values = Array.from({ length: 100_000 }, () => 0.5);
    values[70_000] = 9;
    const list = listOf(historyOf(values).read({ ...ALL, points: 2000 }));
    expect(list.length).toBeLessThanOrEqual(2000);
    const [peak, ...others] = list.filter(({ max }) => max === 9);
    expect(others).toEqual([]);
    expect(peak?.first).toBeLessThanOrEqual(70_001);
    expect(peak?.last).toBeGreaterThanOrEqual(70_001);
  });

  it('gives a range only, and the newest steps as they were', () => {
    const values = Array.from({ length: 100 }, (_, i) => i + 1);
    const history = historyOf(values, { buckets: 16, recent: 20 });
    expect(listOf(history.read({ from: 91, to: 95, points: 10 })).map(({ mean }) => mean)).toEqual([
      91, 92, 93, 94, 95,
    ]);
    const early = listOf(history.read({ from: 20, to: 40, points: 50 }));
    expect(early[0]?.last).toBeGreaterThanOrEqual(20);
    expect(early.at(-1)?.first).toBeLessThanOrEqual(40);
    expect(early.every(({ first, last }) => last >= 20 && first <= 40)).toBe(true);
    expect(history.read({ from: 200, to: 300, points: 10 }).length).toBe(0);
    expect(history.read({ from: 40, to: 20, points: 10 }).length).toBe(0);
  });

  it('leaves values out that are no numbers', () => {
    const values = [Number.NaN, 2, Number.POSITIVE_INFINITY, 4, Number.NaN, Number.NaN, Number.NaN, Number.NaN];
    const list = listOf(historyOf(values, { buckets: 2 }).read({ ...ALL, points: 4 }));
    expect(list[1]).toMatchObject({ first: 1, last: 4, mean: 3, min: 2, max: 4 });
    expect(list[2]).toMatchObject({ first: 5, last: 8, mean: Number.NaN, min: Number.NaN, max: Number.NaN });
  });

  it('is empty before the first step', () => {
    expect(new History({ curves: 1 }).read({ ...ALL, points: 10 }).length).toBe(0);
  });
});

describe('after', () => {
  const stepsAfter = (history: History, step: number) => history.after(step)?.map((row) => row.step);

  it('gives what came after a step, from the newest', () => {
    const history = historyOf([1, 2, 3, 4, 5, 6], { recent: 3 });
    expect(stepsAfter(history, 6)).toEqual([]);
    expect(stepsAfter(history, 4)).toEqual([5, 6]);
    expect(history.after(5)).toEqual([{ step: 6, values: Float64Array.of(6) }]);
  });

  it('says when it does not go back so far, or the step is to come', () => {
    const history = historyOf([1, 2, 3, 4, 5, 6], { recent: 3 });
    expect(history.after(2)).toBeUndefined();
    expect(history.after(7)).toBeUndefined();
    expect(stepsAfter(historyOf([1, 2]), 0)).toEqual([1, 2]);
    expect(stepsAfter(new History({ curves: 1 }), 0)).toEqual([]);
  });
});

it('leaves out a step that is not after the newest', () => {
  const history = historyOf([1, 2]);
  history.add(2, [9]);
  history.add(1, [9]);
  expect(history.last).toBe(2);
  expect(listOf(history.read({ ...ALL, points: 10 })).map(({ mean }) => mean)).toEqual([1, 2]);
});
