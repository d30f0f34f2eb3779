// Moves in the latent space of the exported page.
import { describe, expect, it } from 'vitest';
import { alongPath, Directions, noiseOf, slerp } from '../../../dashboards/explorer/latent.ts';

const near = (values: Float32Array, expected: readonly number[]): void => {
  expect(values.length).toBe(expected.length);
  for (const [i, value] of expected.entries()) expect(values[i]).toBeCloseTo(value, 5);
};
const lengthOf = (z: Float32Array): number => Math.hypot(...z);

describe('slerp', () => {
  it('goes from a to b along an arc', () => {
    const [a, b] = [Float32Array.of(2, 0), Float32Array.of(0, 2)];
    near(slerp(a, b, 0), [2, 0]);
    near(slerp(a, b, 1), [0, 2]);
    // A third of a quarter turn: 30 degrees.
    near(slerp(a, b, 1 / 3), [Math.sqrt(3), 1]);
  });

  it('keeps noise as long as noise is, where a straight line would shorten it', () => {
    const [a, b] = [noiseOf(1, 0, 100), noiseOf(1, 1, 100)];
    const straight = a.map((value, i) => (value + (b[i] ?? 0)) / 2);
    expect(lengthOf(straight)).toBeLessThan(8);
    expect(lengthOf(slerp(a, b, 0.5))).toBeGreaterThan(9);
  });

  it('is a straight line between equal, and between opposite directions', () => {
    const a = Float32Array.of(1, 2);
    near(slerp(a, a, 0.4), [1, 2]);
    near(slerp(a, Float32Array.of(-1, -2), 0.25), [0.5, 1]);
  });
});

describe('alongPath', () => {
  const path = [Float32Array.of(1, 0), Float32Array.of(0, 1), Float32Array.of(-1, 0)];

  it('passes through every digit, and along the arc between two', () => {
    near(alongPath(path, 0), [1, 0]);
    near(alongPath(path, 1), [0, 1]);
    near(alongPath(path, 1.5), [-Math.SQRT1_2, Math.SQRT1_2]);
    near(alongPath(path, 2), [-1, 0]);
    near(alongPath(path.slice(0, 1), 0), [1, 0]);
  });
});

describe('Directions', () => {
  const directions = new Directions(Float32Array.of(0.6, 0.8, 0, 0, 0, 1), 3);

  it('moves to a coordinate along one direction and leaves the rest', () => {
    const z = Float32Array.of(1, 2, 3);
    expect(directions.count).toBe(2);
    expect(directions.coordinate(z, 0)).toBeCloseTo(2.2, 6);
    const moved = directions.moved(z, 0, -1);
    expect(directions.coordinate(moved, 0)).toBeCloseTo(-1, 6);
    expect(directions.coordinate(moved, 1)).toBeCloseTo(3, 6);
    // What is at right angles to both, along (0.8, -0.6, 0), stays too.
    expect(0.8 * (moved[0] ?? 0) - 0.6 * (moved[1] ?? 0)).toBeCloseTo(0.8 - 1.2, 6);
    near(z, [1, 2, 3]);
  });
});
