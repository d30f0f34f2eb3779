import { describe, expect, it } from 'vitest';
import { initialState } from '../../../../coordinator/training/state.ts';
import { train } from '../../../../coordinator/training/trainer.ts';
import { dcgan28 } from '../../../../shared/model/spec.ts';
import { LATENT, trainerOptions } from './stub-computer.ts';

/** How far the first parameter of either net has moved after one step; Adam's first step is the rate, whatever the gradient. */
async function moved(generator: number, discriminator: number): Promise<{ generator: number; discriminator: number }> {
  const state = initialState(dcgan28(LATENT), 1);
  const before = initialState(dcgan28(LATENT), 1);
  const adam = { beta1: 0.5, beta2: 0.999, epsilon: 1e-30 };
  const rates = {
    generator: { ...adam, learningRate: generator },
    discriminator: { ...adam, learningRate: discriminator },
  };
  await train({ ...trainerOptions({ state, totalSteps: 1 }), adam: rates });
  const distance = (net: 'generator' | 'discriminator'): number =>
    Math.abs((state[net].parameters[0] ?? 0) - (before[net].parameters[0] ?? 0));
  return { generator: distance('generator'), discriminator: distance('discriminator') };
}

describe('a learning rate a net', () => {
  it('moves each net by its own', async () => {
    const { generator, discriminator } = await moved(0.125, 0.0625);
    expect(generator).toBeCloseTo(0.125, 6);
    expect(discriminator).toBeCloseTo(0.0625, 6);
  });
});
