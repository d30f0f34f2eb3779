import { describe, expect, it } from 'vitest';
import { stateSha256 } from '../../../../coordinator/checkpoints/checkpoint.ts';
import {
  copyState,
  emptyState,
  initialState,
  NETS,
  sharedState,
  type TrainingState,
  trackStatistics,
} from '../../../../coordinator/training/state.ts';
import { initialise } from '../../../../shared/model/initialise.ts';
import { dcgan28 } from '../../../../shared/model/spec.ts';
import { LATENT, madeUpState } from '../made-up-state.ts';

describe('trackStatistics', () => {
  it('moves a tenth of the way to the mean over shards, by hand', () => {
    const { discriminator } = emptyState(dcgan28(1));
    const sum = new Float64Array(192);
    sum[0] = 8; // the first mean: 8 / 4 = 2
    sum[32] = 20; // the first variance: 20 / 4 = 5
    trackStatistics(discriminator, sum, 1 / 4);
    // 0.9 * 0 + 0.1 * 2 and 0.9 * 1 + 0.1 * 5
    expect(discriminator.statistics[0]).toBe(Math.fround(0.2));
    expect(discriminator.statistics[32]).toBe(Math.fround(1.4));
    expect(discriminator.statistics[33]).toBe(Math.fround(0.9));
    expect(discriminator.statistics[1]).toBe(0);

    trackStatistics(discriminator, sum, 1 / 4);
    // 0.9 * 0.2 + 0.1 * 2 = 0.38 and 0.9 * 1.4 + 0.1 * 5 = 1.76
    expect(discriminator.statistics[0]).toBeCloseTo(0.38, 6);
    expect(discriminator.statistics[32]).toBeCloseTo(1.76, 6);
    expect(discriminator.batchesTracked).toBe(2);
  });

  it('reaches the last variance', () => {
    const { generator } = emptyState(dcgan28(1));
    trackStatistics(generator, new Float64Array(448).fill(1).fill(11, 447), 1);
    expect(generator.statistics[446]).toBe(1);
    expect(generator.statistics[447]).toBe(2); // 0.9 * 1 + 0.1 * 11
  });
});

describe('emptyState', () => {
  it("has zero parameters and moments, powers of beta 1, and PyTorch's first running statistics", () => {
    const state = emptyState(dcgan28(3));
    expect(state).toMatchObject({ spec: dcgan28(3), step: 0 });
    for (const net of NETS) {
      const { layout, parameters, adam, statistics, batchesTracked } = state[net];
      expect(layout).toMatchObject({ net, parameterCount: parameters.length });
      expect(adam).toMatchObject({ beta1Power: 1, beta2Power: 1 });
      expect(batchesTracked).toBe(0);
      for (const values of [parameters, adam.m, adam.v]) {
        expect(values.length).toBe(layout.parameterCount);
        expect(values.every((value) => value === 0)).toBe(true);
      }
      for (const { offset, channels } of layout.norms) {
        expect([...new Set(statistics.subarray(offset, offset + channels))]).toEqual([0]);
        expect([...new Set(statistics.subarray(offset + channels, offset + 2 * channels))]).toEqual([1]);
      }
    }
  });

  it('holds parameters in memory that threads share', () => {
    for (const net of NETS) expect(emptyState(dcgan28(1))[net].parameters.buffer).toBeInstanceOf(SharedArrayBuffer);
  });
});

describe('initialState', () => {
  it('fills the parameters of both nets from the seed', () => {
    const state = initialState(dcgan28(2), 9);
    for (const net of NETS) {
      const expected = new Float32Array(state[net].parameters.length);
      initialise(net, dcgan28(2), 9, expected);
      expect(Buffer.from(state[net].parameters.slice().buffer).equals(Buffer.from(expected.buffer))).toBe(true);
    }
  });
});

describe('copyState', () => {
  const arraysOf = (state: TrainingState) =>
    NETS.flatMap((net) => [state[net].parameters, state[net].adam.m, state[net].adam.v, state[net].statistics]);

  it('copies every tensor and counter', () => {
    const to = sharedState(dcgan28(LATENT));
    copyState(madeUpState(12, 3), to);
    expect(stateSha256(to)).toBe(stateSha256(madeUpState(12, 3))); // the hash sees each of them: checkpoint.test.ts
    copyState(madeUpState(13, 4), to); // also over another one
    expect(stateSha256(to)).toBe(stateSha256(madeUpState(13, 4)));
  });

  it('shares nothing with what it copies, and keeps its own memory', () => {
    const from = madeUpState();
    const to = sharedState(dcgan28(LATENT));
    const before = arraysOf(to);
    copyState(from, to);
    for (const [i, array] of arraysOf(to).entries()) {
      expect(array).toBe(before[i]);
      expect(array.buffer).toBeInstanceOf(SharedArrayBuffer);
    }
    const hash = stateSha256(to);
    for (const array of arraysOf(from)) array.fill(7);
    from.step = 99;
    expect(stateSha256(to)).toBe(hash);
  });

  it('refuses a state of another size', () => {
    expect(() => copyState(madeUpState(), sharedState(dcgan28(LATENT + 1)))).toThrow(
      // 2048 parameters a number of z, and 164,800 behind the first layer
      'expected a generator of 168896 parameters, got 166848',
    );
  });
});
