import { describe, expect, it } from 'vitest';
import { emaSha256, stateSha256 } from '../../../../coordinator/checkpoints/checkpoint.ts';
import { averagedState, moveAverage } from '../../../../coordinator/training/average.ts';
import { copyState, initialState, sharedState, type TrainingState } from '../../../../coordinator/training/state.ts';
import { train } from '../../../../coordinator/training/trainer.ts';
import { dcgan28 } from '../../../../shared/model/spec.ts';
import { LATENT, trainerOptions } from './stub-computer.ts';

const SPEC = dcgan28(LATENT);

/** @returns the state, and the generator's first parameter after every step */
async function trained(steps: number, ema?: number, state = initialState(SPEC, 1, ema !== undefined)) {
  const course: { value: number; average: number | undefined; statistic: number | undefined }[] = [];
  const commit = async (): Promise<void> => {
    const { generator, average } = state;
    const [value = 0] = generator.parameters;
    course.push({ value, average: average?.parameters[0], statistic: average?.statistics[0] });
  };
  await train({ ...trainerOptions({ state, totalSteps: steps, commit }), ...(ema === undefined ? {} : { ema }) });
  return { state, course };
}

describe('moveAverage', () => {
  const moved = (values: readonly number[], decay: number): number[] => {
    const state = initialState(SPEC, 1, true) as TrainingState & { average: NonNullable<TrainingState['average']> };
    const { average, generator } = state;
    average.parameters.fill(0);
    return values.map((value, i) => {
      generator.parameters.fill(value);
      generator.statistics.fill(-value);
      moveAverage(average, generator, i + 1, decay);
      return average.parameters[7] ?? Number.NaN;
    });
  };

  it('keeps (1 + t) / (10 + t) of the average at first', () => {
    // keep 2/11, 3/12, 4/13 of: 0 -> 11 (1 - 2/11) = 9 -> 9/4 + 12 * 3/4 = 11.25 -> 11.25 * 4/13 + 13 * 9/13
    expect(moved([11, 12, 13], 0.999)).toEqual([9, 11.25, Math.fround(11.25 * (4 / 13) + 13 * (1 - 4 / 13))]);
  });

  it('then keeps the decay', () => {
    expect(moved([8, 8], 0.125)).toEqual([7, 0.125 * 7 + 0.875 * 8]);
    expect(moved([8, 5], 0)).toEqual([8, 5]);
  });

  it('moves the running statistics, too, and rounds to float32', () => {
    const state = initialState(SPEC, 1, true);
    state.generator.statistics.fill(0.1);
    state.average?.statistics.fill(0.3);
    if (state.average) moveAverage(state.average, state.generator, 1e6, 0.9);
    const expected = Math.fround(0.9 * Math.fround(0.3) + (1 - 0.9) * Math.fround(0.1));
    expect(state.average?.statistics.every((value) => value === expected)).toBe(true);
  });
});

describe('the averaged generator', () => {
  it('begins as the generator, and moves once a step, before the commit', async () => {
    const { course } = await trained(3, 0.5);
    let [average] = initialState(SPEC, 1).generator.parameters as Float32Array & [number];
    for (const [i, step] of course.entries()) {
      const keep = Math.min(0.5, (2 + i) / (11 + i));
      average = Math.fround(keep * average + (1 - keep) * step.value);
      expect(step.average).toBe(average);
    }
  });

  it('changes nothing of what is trained', async () => {
    const [without, averaged] = [await trained(4), await trained(4, 0.9)];
    expect(without.state.average).toBeNull();
    expect(stateSha256(averaged.state)).toBe(stateSha256(without.state));
  });

  it('is the same through a stop, from a copy', async () => {
    const { state: whole } = await trained(5, 0.9);
    const { state: begun } = await trained(2, 0.9);
    const copy = sharedState(SPEC, true);
    copyState(begun, copy);
    const { state: resumed } = await trained(5, 0.9, copy);
    expect(emaSha256(resumed)).toBe(emaSha256(whole));
    expect(emaSha256(resumed)).toMatch(/^[0-9a-f]{64}$/);
    expect(emaSha256((await trained(5, 0.1)).state)).not.toBe(emaSha256(whole));
  });

  it('draws in place of the generator', async () => {
    const { state } = await trained(2, 0.9);
    const { generator } = averagedState(state);
    expect(generator.parameters).toBe(state.average?.parameters);
    expect(generator.statistics).toBe(state.average?.statistics);
    const plain = initialState(SPEC, 1);
    expect(averagedState(plain)).toBe(plain);
  });
});
