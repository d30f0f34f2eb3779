import { describe, expect, it } from 'vitest';
import { CURVES, Curves, smooth } from '../../../dashboards/live/curves.js';
import type { LiveHistory } from '../../../shared/live-protocol.ts';
import { CURVES as SERVED } from '../../../shared/step-scalars.ts';

function historyOf(steps: number[]): LiveHistory {
  const points = { mean: steps, min: steps, max: steps };
  const curves = Object.fromEntries(SERVED.map((curve) => [curve, points])) as unknown as LiveHistory['curves'];
  return { session: 'a', last: steps.at(-1) ?? 0, steps, curves };
}

const rowOf = (step: number) => [step, ...SERVED.map(() => step)];

it('names the curves as the coordinator does', () => {
  expect(CURVES).toEqual([...SERVED]);
});

describe('Curves', () => {
  it('adds new steps once, in the range shown', () => {
    const curves = new Curves();
    curves.load(historyOf([1, 2, 3]));
    curves.append([rowOf(3), rowOf(4), rowOf(5), rowOf(6)], 5);
    expect(curves.steps).toEqual([1, 2, 3, 4, 5]);
    expect(curves.of('lossG').max).toEqual([1, 2, 3, 4, 5]);
    expect(curves.last).toBe(6);
  });

  it('forgets steps that are shown no more', () => {
    const curves = new Curves();
    curves.load(historyOf([1, 2, 3, 4]));
    curves.forget(3);
    expect(curves.steps).toEqual([3, 4]);
    expect(curves.of('lossD').mean).toEqual([3, 4]);
  });

  it('says when there are too many points', () => {
    const curves = new Curves();
    curves.load(historyOf([]));
    curves.append(
      Array.from({ length: 2000 }, (_, i) => rowOf(i + 1)),
      9999,
    );
    expect(curves.crowded).toBe(false);
    curves.append([rowOf(2001)], 9999);
    expect(curves.crowded).toBe(true);
  });
});

describe('smooth', () => {
  it('leaves values as they are without a time, and constant ones with any', () => {
    expect(smooth([1, 2], [3, null], 0)).toEqual([3, null]);
    for (const value of smooth([1, 2, 50], [3, 3, 3], 10)) expect(value).toBeCloseTo(3, 12);
  });

  it('forgets by a factor e in its time, whatever the distance of the points', () => {
    const [, near] = smooth([0, 10], [1, 0], 10);
    expect(near).toBeCloseTo(Math.exp(-1), 12);
    const dense = smooth([0, 2, 4, 6, 8, 10], [1, 0, 0, 0, 0, 0], 10).at(-1);
    expect(dense).toBeCloseTo(Math.exp(-1), 12);
  });

  it('goes over gaps', () => {
    expect(smooth([1, 2, 3], [null, 4, null], 5)).toEqual([null, 4, 4]);
  });
});
