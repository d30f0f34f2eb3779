import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { rateFactor } from '../../../../coordinator/training/decay.ts';
import { initialState } from '../../../../coordinator/training/state.ts';
import { train } from '../../../../coordinator/training/trainer.ts';
import { dcgan28 } from '../../../../shared/model/spec.ts';
import { LATENT, trainerOptions } from './stub-computer.ts';

const { rates }: { rates: { steps: number; every: number; linear: number[]; cosine: number[] } } = JSON.parse(
  readFileSync(new URL('../../../golden/recipe.json', import.meta.url), 'utf8'),
);

describe('rateFactor', () => {
  it.each(['linear', 'cosine'] as const)("%s falls as PyTorch's scheduler", (decay) => {
    expect(rates[decay].length).toBe(28);
    for (const [i, expected] of rates[decay].entries()) {
      // PyTorch multiplies step by step, so its rounding adds up.
      expect(Math.abs(rateFactor(decay, i * rates.every, rates.steps) - expected)).toBeLessThan(1e-13);
    }
  });

  it('is exact where the numbers are', () => {
    expect([0, 1, 2, 3].map((step) => rateFactor('linear', step, 4))).toEqual([1, 0.75, 0.5, 0.25]);
    expect(rateFactor('cosine', 0, 3)).toBe(1);
    expect(rateFactor('cosine', 2, 4)).toBeCloseTo(0.5, 15);
    expect(rateFactor('off', 3, 4)).toBe(1);
  });

  it('stays above 0 to the last of many steps', () => {
    const total = 2 ** 26;
    for (const decay of ['linear', 'cosine'] as const) {
      expect(rateFactor(decay, total - 1, total)).toBeGreaterThan(0);
    }
  });
});

describe('training by a decay', () => {
  it.each([
    ['linear', [1, 0.75, 0.5, 0.25]],
    ['cosine', [1, 0.8535533905932737, 0.5, 0.14644660940672627]],
  ] as const)('%s multiplies the rate of both nets', async (decay, factors) => {
    // With beta1 = beta2 = 0, Adam moves every parameter by the rate, whatever the gradient.
    const state = initialState(dcgan28(LATENT), 1);
    const read = () => [state.generator.parameters[0] ?? 0, state.discriminator.parameters[0] ?? 0] as const;
    const moved: number[][] = [];
    let before = read();
    const commit = async (): Promise<void> => {
      const now = read();
      moved.push(now.map((value, i) => Math.abs(value - (before[i] ?? 0))));
      before = now;
    };
    const adam = { learningRate: 0.125, beta1: 0, beta2: 0, epsilon: 1e-30 };
    const both = { generator: adam, discriminator: { ...adam, learningRate: 0.0625 } };
    await train({ ...trainerOptions({ state, totalSteps: 4, decay, commit }), adam: both });
    expect(moved.length).toBe(4);
    for (const [i, factor] of factors.entries()) {
      expect(moved[i]?.[0]).toBeCloseTo(0.125 * factor, 6);
      expect(moved[i]?.[1]).toBeCloseTo(0.0625 * factor, 6);
    }
  });
});
