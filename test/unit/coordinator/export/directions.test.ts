// The latent directions against matrices whose singular vectors are known.
import { Matrix } from 'ml-matrix';
import { describe, expect, it } from 'vitest';
import { latentDirections, strongest } from '../../../../coordinator/export/directions.ts';
import { initialState } from '../../../../coordinator/training/state.ts';
import { dcgan28 } from '../../../../shared/model/spec.ts';

/** Rows of a flat array, rounded for comparison. */
function rows(values: Float32Array, length: number): number[][] {
  return Array.from({ length: values.length / length }, (_, i) =>
    Array.from(values.subarray(i * length, (i + 1) * length), (value) => Math.round(value * 1e6) / 1e6 + 0),
  );
}

describe('strongest', () => {
  // A = 3 u1 v1' + 1 u2 v2' with u1 = (3, 4) / 5 and u2 = (4, -3) / 5: the left singular vectors are u1 and u2.
  const u = [
    [0.6, 0.8],
    [0.8, -0.6],
  ] as const;

  it('gives the left singular vectors by strength, their largest component positive, with shares of 9 to 1', () => {
    const v = [
      [0, 1, 0],
      [0, 0, 1],
    ];
    const a = new Matrix(
      [0, 1].map((i) => [0, 1, 2].map((j) => 3 * u[0][i as 0] * (v[0]?.[j] ?? 0) + u[1][i as 0] * (v[1]?.[j] ?? 0))),
    );
    const { values, shares } = strongest(a, 2);
    expect(rows(values, 2)).toEqual([
      [0.6, 0.8],
      [0.8, -0.6],
    ]);
    expect(shares[0]).toBeCloseTo(0.9, 12);
    expect(shares[1]).toBeCloseTo(0.1, 12);
    expect(rows(strongest(a, 1).values, 2)).toEqual([[0.6, 0.8]]);
  });

  it('gives the same where there are more inputs than outputs', () => {
    // A = -2 (0, 0.6, 0.8)' (1): one output, three inputs.
    const { values, shares } = strongest(new Matrix([[0], [-1.2], [-1.6]]), 10);
    expect(rows(values, 3)).toEqual([[0, 0.6, 0.8]]);
    expect(shares).toEqual([1]);
  });
});

describe('latentDirections', () => {
  const LATENT = 6;

  it('gives orthonormal directions, no more than z is long', () => {
    const { generator } = initialState(dcgan28(LATENT), 3);
    const { values, shares } = latentDirections(generator, dcgan28(LATENT), 10);
    expect(values.length).toBe(LATENT * LATENT);
    const v = rows(values, LATENT);
    for (const [i, a] of v.entries()) {
      for (const [j, b] of v.entries()) {
        const product = a.reduce((sum, value, k) => sum + value * (b[k] ?? 0), 0);
        expect(product).toBeCloseTo(i === j ? 1 : 0, 5);
      }
    }
    expect([...shares].sort((a, b) => b - a)).toEqual(shares);
    expect(shares.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 12);
  });

  it('counts a channel by what BatchNorm makes of it', () => {
    // z0 goes to channel 0 and z1, twice as strongly, to channel 1, whose running variance is a hundred times as large.
    const { generator } = initialState(dcgan28(2), 3);
    const { parameters, statistics, layout } = generator;
    const of = (name: string) => layout.parameters.find((parameter) => parameter.name === name);
    const [weight, gamma] = [of('main.0.weight'), of('main.1.weight')];
    if (!weight || !gamma) throw new Error('expected both');
    parameters.fill(0, weight.offset, weight.offset + weight.size);
    parameters[weight.offset] = 1;
    parameters[weight.offset + 2048 + 1] = 2;
    parameters.fill(1, gamma.offset, gamma.offset + gamma.size);
    expect(rows(latentDirections(generator, dcgan28(2), 1).values, 2)).toEqual([[0, 1]]);
    const { channels, offset } = layout.norms[0] ?? { channels: 0, offset: 0 };
    statistics[offset + channels + 1] = 100;
    const { values, shares } = latentDirections(generator, dcgan28(2), 1);
    expect(rows(values, 2)).toEqual([[1, 0]]);
    expect(shares[0]).toBeCloseTo(1 / (1 + 0.04), 4);
  });
});
