import { describe, expect, it } from 'vitest';
import { type AdamOptions, adamState, adamStep } from '../../../../coordinator/training/adam.ts';
import { addRounded } from '../../../../shared/exact-sum.ts';
import { fillNormal } from '../../../../shared/random.ts';

const DCGAN: AdamOptions = { learningRate: 2e-4, beta1: 0.5, beta2: 0.999, epsilon: 1e-8 };

describe('adamStep', () => {
  it('two steps by hand', () => {
    const options = { learningRate: 0.25, beta1: 0.5, beta2: 0.75, epsilon: 2 };
    const state = adamState(1);
    const theta = Float32Array.of(1);

    // The sum over 4 shards is 8, so g = 2. m = (1 - 0.5) * 2 = 1; v = (1 - 0.75) * 2^2 = 1.
    // Unbiased: 1 / (1 - 0.5) = 2 and 1 / (1 - 0.75) = 4. theta = 1 - 0.25 * 2 / (sqrt(4) + 2) = 0.875.
    adamStep(options, state, theta, Float64Array.of(8), 1 / 4);
    expect([state.m[0], state.v[0], theta[0]]).toEqual([1, 1, 0.875]);
    expect([state.beta1Power, state.beta2Power]).toEqual([0.5, 0.75]);

    // g = -2. m = 0.5 * 1 - 0.5 * 2 = -0.5; v = 0.75 * 1 + 0.25 * 4 = 1.75. Powers 0.25 and 0.5625.
    // Unbiased: -0.5 / 0.75 = -2/3 and 1.75 / 0.4375 = 4. theta = 0.875 + 0.25 * (2/3) / (2 + 2) = 11/12.
    adamStep(options, state, theta, Float64Array.of(-8), 1 / 4);
    expect([state.m[0], state.v[0], theta[0]]).toEqual([-0.5, 1.75, Math.fround(11 / 12)]);
    expect([state.beta1Power, state.beta2Power]).toEqual([0.25, 0.5625]);
  });

  it('first moves every parameter by the learning rate against its sign, whatever the size of the gradient', () => {
    // m unbiased is g and v unbiased g^2: g / (|g| + epsilon).
    const theta = new Float32Array(4);
    adamStep(DCGAN, adamState(4), theta, Float64Array.of(1e-3, -1e-3, 1e3, -1e3), 1);
    for (const [i, value] of [-2e-4, 2e-4, -2e-4, 2e-4].entries()) expect(theta[i]).toBeCloseTo(value, 8);
  });

  it('leaves a parameter alone whose gradient has always been zero', () => {
    const state = adamState(2);
    const theta = Float32Array.of(0.3, 0.3);
    for (let step = 0; step < 3; step++) adamStep(DCGAN, state, theta, Float64Array.of(0, 1), 1);
    expect(theta[0]).toBe(Math.fround(0.3));
    expect([state.m[0], state.v[0]]).toEqual([0, 0]);
    expect(theta[1]).toBeLessThan(0.3);
  });

  it('scales the sum to a mean', () => {
    const run = (sum: Float64Array, scale: number) => {
      const state = adamState(2);
      const theta = Float32Array.of(1, 1);
      adamStep(DCGAN, state, theta, sum, scale);
      return { state, theta };
    };
    expect(run(Float64Array.of(8, -4), 1 / 8)).toEqual(run(Float64Array.of(1, -0.5), 1));
    expect(run(Float64Array.of(8, -4), 1 / 8)).not.toEqual(run(Float64Array.of(8, -4), 1));
  });

  it('gives the norm of the mean gradient', () => {
    const theta = new Float32Array(2);
    expect(adamStep(DCGAN, adamState(2), theta, Float64Array.of(12, -16, 1e9), 1 / 4)).toBe(5);
  });

  it('adds up the squares of the norm in eight partial sums', () => {
    // Four times 2^-54 in lane 1 and in lane 2 make 2^-52 each; added to the 1 of lane 0 one by one, each would vanish.
    const values = Float64Array.from({ length: 33 }, (_, i) => (i === 0 ? 1 : i % 8 < 3 ? 2 ** -27 : 0));
    // The root of 1 + 2^-51 is 1 + 2^-52 but for less than half a unit. Lane 0 loses the four that it has beside 1.
    expect(adamStep(DCGAN, adamState(33), new Float32Array(33), values, 1)).toBe(1 + 2 ** -52);
  });

  it('takes as many values of the sum as there are parameters', () => {
    const state = adamState(1);
    const theta = Float32Array.of(1);
    adamStep(DCGAN, state, theta, Float64Array.of(1, 1e9, Number.NaN), 1);
    expect(theta.length).toBe(1);
    expect(theta[0]).toBeCloseTo(1 - 2e-4, 6);
  });

  it('adds arrays to the sum before, all of it, as calls one after another do', () => {
    const values = [0, 1, 2].map((part) =>
      fillNormal({ seed: 1, stream: 'samples', time: 0, part }, new Float32Array(13)),
    );
    for (const isFirst of [true, false]) {
      const begin = () => ({
        state: adamState(9),
        theta: new Float32Array(9).fill(1),
        sum: new Float64Array(13).fill(0.5),
      });
      const [apart, together] = [begin(), begin()];
      addRounded(apart.sum, values, isFirst);
      const norm = adamStep(DCGAN, apart.state, apart.theta, apart.sum, 1 / 3);
      const { state, theta, sum } = together;
      expect(adamStep(DCGAN, state, theta, sum, 1 / 3, { values, isFirst })).toBe(norm);
      expect(together).toEqual(apart);
    }
  });

  it('agrees with the paper in float64 over 50 steps', () => {
    const count = 40;
    const options = { learningRate: 0.01, beta1: 0.5, beta2: 0.999, epsilon: 1e-8 };
    const state = adamState(count);
    const theta = fillNormal({ seed: 1, stream: 'samples', time: 0, part: 0 }, new Float32Array(count));
    const expected = Float64Array.from(theta);
    const m = new Float64Array(count);
    const v = new Float64Array(count);
    for (let t = 1; t <= 50; t++) {
      const g = fillNormal({ seed: 1, stream: 'samples', time: t, part: 1 }, new Float32Array(count));
      adamStep(
        options,
        state,
        theta,
        Float64Array.from(g, (value) => value * 3),
        1 / 3,
      );
      for (let i = 0; i < count; i++) {
        const gradient = g[i] ?? Number.NaN;
        m[i] = 0.5 * (m[i] ?? 0) + 0.5 * gradient;
        v[i] = 0.999 * (v[i] ?? 0) + 0.001 * gradient ** 2;
        const mHat = (m[i] ?? 0) / (1 - 0.5 ** t);
        const vHat = (v[i] ?? 0) / (1 - 0.999 ** t);
        expected[i] = (expected[i] ?? 0) - (0.01 * mHat) / (Math.sqrt(vHat) + 1e-8);
      }
    }
    const error = Math.max(...theta.map((value, i) => Math.abs(value - (expected[i] ?? Number.NaN))));
    expect(error).toBeLessThan(5e-6); // 50 roundings of values near 1 to float32
    expect(state.beta1Power).toBe(0.5 ** 50);
    expect(state.beta2Power).toBeCloseTo(0.999 ** 50, 12);
  });
});
