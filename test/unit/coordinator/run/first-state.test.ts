import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { writeCheckpoint } from '../../../../coordinator/checkpoints/checkpoint.ts';
import { firstState } from '../../../../coordinator/run/first-state.ts';
import { initialState } from '../../../../coordinator/training/state.ts';
import { dcgan28 } from '../../../../shared/model/spec.ts';
import { errorOf, scratchFolder } from '../../scratch.ts';
import { LATENT, madeUpState } from '../made-up-state.ts';

const MODEL = { latent: LATENT, imageSize: 28, channels: 1, width: 1 } as const;
const SETTINGS = { ...MODEL, seed: 5, ema: 'off', from: null } as const;
const silent = (): void => {};

function stored(state = madeUpState(12)): string {
  const path = join(scratchFolder(), 'step-00000012.safetensors');
  writeCheckpoint(path, state, '{}');
  return path;
}

describe('the first state', () => {
  it('is that of the seed', () => {
    expect(firstState(SETTINGS, silent)).toEqual(initialState(dcgan28(LATENT), 5));
  });

  it("has another run's weights and running statistics, a new optimiser and no steps, and says so", () => {
    const told: string[] = [];
    const from = stored();
    const state = firstState({ ...SETTINGS, from }, (message) => told.push(message));
    const [source, fresh] = [madeUpState(12), initialState(dcgan28(LATENT), 5)];
    for (const net of ['generator', 'discriminator'] as const) {
      expect(state[net]).toEqual({
        ...fresh[net],
        parameters: source[net].parameters,
        statistics: source[net].statistics,
      });
    }
    expect([state.step, state.average]).toEqual([0, null]);
    expect(told).toEqual([
      expect.stringMatching(
        /^--from: begins at step 0 with the weights of step 12 of .*step-00000012\.safetensors \(state [0-9a-f]{12}\), and with a new optimiser$/,
      ),
    ]);
  });

  it('begins the average with these weights', () => {
    const { average, generator } = firstState({ ...SETTINGS, ema: 0.9, from: stored() }, silent);
    expect(average).toEqual({ parameters: generator.parameters, statistics: generator.statistics });
  });

  it('refuses nets of other sizes, numbers that cannot be, and what is no checkpoint', async () => {
    const from = stored();
    expect(await errorOf(() => firstState({ ...SETTINGS, latent: 2, from }, silent))).toBe(
      `config: --from ${from}: expected generator.main.0.weight [2,128,4,4], got generator.main.0.weight [1,128,4,4]`,
    );
    const broken = madeUpState(12);
    broken.discriminator.parameters[3] = Number.NaN;
    expect(await errorOf(() => firstState({ ...SETTINGS, from: stored(broken) }, silent))).toMatch(
      /^checkpoint: .*: tensor discriminator\.main\.0\.weight: expected finite numbers, got NaN$/,
    );
    const text = join(scratchFolder(), 'notes.txt');
    writeFileSync(text, 'no checkpoint');
    for (const path of [text, `${text}.missing`, scratchFolder()]) {
      expect(await errorOf(() => firstState({ ...SETTINGS, from: path }, silent))).toMatch(/^checkpoint: [^\n]+$/);
    }
  });
});
