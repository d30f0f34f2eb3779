import { describe, expect, it } from 'vitest';
import { stateSha256 } from '../../../coordinator/checkpoint.ts';
import { createSampler } from '../../../coordinator/sampler.ts';
import { initialState, type TrainingState } from '../../../coordinator/state.ts';
import { type StepRecord, train } from '../../../coordinator/trainer.ts';
import { phaseVectorOf } from '../../../shared/phase-vector.ts';
import { communicators, LATENT, type Order, resultOf, StubComputer, trainerOptions } from './stub-computer.ts';
import { settled } from './stub-replicas.ts';

/** Trains two steps of four shards from the same start. */
async function trained(order?: Order, steps = 2): Promise<TrainingState> {
  const state = initialState(LATENT, 1);
  await train(trainerOptions({ state, replicas: new StubComputer(state, order), lastStep: steps }));
  return state;
}

describe('the state after training', () => {
  it('does not depend on the order in which shards are accepted', async () => {
    const expected = stateSha256(await trained());
    expect(stateSha256(await trained((shards) => shards.toReversed()))).toBe(expected);
    expect(stateSha256(await trained((shards) => [...shards.slice(2), ...shards.slice(0, 2)]))).toBe(expected);
    expect(expected).not.toBe(stateSha256(initialState(LATENT, 1)));
  });

  it('does not depend on the number of nodes', async () => {
    const states = [initialState(LATENT, 1), initialState(LATENT, 1)];
    const computers = states.map((state) => new StubComputer(state));
    await Promise.all(
      communicators(2).map((communicator, i) => {
        const [state, replicas] = [states[i], computers[i]];
        if (!state || !replicas) throw new Error('two nodes');
        return train(trainerOptions({ state, replicas, communicator }));
      }),
    );
    const expected = stateSha256(await trained());
    expect(states.map(stateSha256)).toEqual([expected, expected]);
    // Shards go round the nodes.
    const shardsOf = (computer: StubComputer | undefined) => [...new Set(computer?.asked.map(({ shard }) => shard))];
    expect(computers.map(shardsOf)).toEqual([
      [0, 2],
      [1, 3],
    ]);
  });

  it('does not depend on a stop between two steps', async () => {
    const expected = stateSha256(await trained(undefined, 3));
    const state = await trained(undefined, 1);
    await train(trainerOptions({ state, lastStep: 3 }));
    expect(stateSha256(state)).toBe(expected);
  });

  it('counts forward passes as PyTorch does, and steps of Adam', async () => {
    const state = await trained();
    // A step runs G in both phases, D on real and fake images and once more for G.
    expect(state.step).toBe(2);
    expect(state.generator.batchesTracked).toBe(4);
    expect(state.discriminator.batchesTracked).toBe(6);
    expect(state.generator.adam).toMatchObject({ beta1Power: 0.25, beta2Power: 0.999 ** 2 });
    expect(state.discriminator.adam).toMatchObject({ beta1Power: 0.25, beta2Power: 0.999 ** 2 });
  });
});

describe('a step', () => {
  it('is the discriminator phase on the images of the sampler, then the generator phase on the new D', async () => {
    const state = initialState(LATENT, 1);
    const before = state.discriminator.parameters[0];
    const jobs: string[] = [];
    const imagesOf = createSampler({ seed: 1, count: 10, batch: 4, shards: 2 });
    await train(
      trainerOptions({
        state,
        shards: 2,
        lastStep: 3,
        replicas: {
          async compute(shards, accept) {
            for (const shard of shards) {
              jobs.push(`${shard.step} ${shard.phase} ${shard.shard}`);
              const images = imagesOf(shard.step).shards[shard.shard] ?? [];
              // Every pixel of image i of the data is i.
              const expected = [...images].flatMap((image) => Array.from({ length: 784 }, () => image));
              expect(shard.pixels && [...shard.pixels]).toEqual(shard.phase === 'discriminator' ? expected : undefined);
              const moved = state.discriminator.parameters[0] !== before;
              expect(moved).toBe(shard.step > 0 || shard.phase === 'generator');
              accept(
                shard,
                resultOf(shard.phase, () => 0.25),
              );
            }
          },
        },
      }),
    );
    expect(jobs).toEqual(
      [0, 1, 2].flatMap((step) => [
        `${step} discriminator 0`,
        `${step} discriminator 1`,
        `${step} generator 0`,
        `${step} generator 1`,
      ]),
    );
  });

  it('applies Adam to the mean over shards, and tracks the mean statistics', async () => {
    const state = initialState(LATENT, 1);
    const before = state.discriminator.parameters.slice();
    // Shards 0 to 3 give 1, 2, 3, 4: the mean is 2.5.
    const compute = async (
      shards: Parameters<StubComputer['compute']>[0],
      accept: Parameters<StubComputer['compute']>[1],
    ) => {
      for (const shard of shards)
        accept(
          shard,
          resultOf(shard.phase, () => shard.shard + 1),
        );
    };
    await train(trainerOptions({ state, lastStep: 1, replicas: { compute } }));
    const { adam, parameters, layout, statistics } = state.discriminator;
    expect(adam.m[0]).toBe(1.25); // (1 - 0.5) * 2.5
    expect(adam.v[0]).toBe(Math.fround(0.001 * 2.5 ** 2));
    expect(parameters[0]).toBeCloseTo((before[0] ?? 0) - 2e-4, 7);
    // Running mean of D after three forwards with mean 2.5: 2.5 * (1 - 0.9^3).
    expect(statistics[0]).toBeCloseTo(2.5 * (1 - 0.9 ** 3), 6);
    for (const { trained: isTrained, offset, size } of layout.parameters) {
      if (isTrained) continue;
      expect(parameters.subarray(offset, offset + size)).toEqual(before.subarray(offset, offset + size));
    }
  });

  it('hands out the pixels of a shard in memory that threads share', async () => {
    const state = initialState(LATENT, 1);
    const replicas = new StubComputer(state);
    await train(trainerOptions({ state, replicas, lastStep: 1 }));
    for (const { phase, pixels } of replicas.asked) {
      if (phase === 'generator') continue;
      expect(pixels?.buffer).toBeInstanceOf(SharedArrayBuffer);
      expect(pixels?.length).toBe(784);
    }
  });
});

describe('the record of a step', () => {
  it('says what happened, by hand', async () => {
    const records: StepRecord[] = [];
    const { scalars, gradientCount, length } = phaseVectorOf('discriminator', LATENT);
    await train(
      trainerOptions({
        // 10 images, 4 a step: the third step is the first of epoch 1.
        lastStep: 3,
        commit: async (record) => void records.push(record),
        replicas: {
          async compute(shards, accept) {
            for (const shard of shards) {
              const result = resultOf(shard.phase, () => 0);
              // Sums over 4 shards: (12, 16), so the mean gradient is (3, 4) and its norm 5.
              result.values.set([3, 4], 0);
              if (shard.phase === 'discriminator') {
                // Losses 0, 1, 2, 3: mean 1.5; and one value for each other.
                result.values[scalars.lossReal] = shard.shard;
                result.values[scalars.lossFake] = 0.25;
                result.values[scalars.outputReal] = 0.5;
                result.values[scalars.outputFake] = 0.125;
                // Not part of the gradient.
                result.values[gradientCount + 4] = 1000;
              }
              accept(shard, result);
            }
          },
        },
      }),
    );
    expect(records.map(({ step, epoch }) => [step, epoch])).toEqual([
      [1, 0],
      [2, 0],
      [3, 1],
    ]);
    const [first] = records;
    expect(first?.discriminator).toMatchObject({
      lossReal: 1.5,
      lossFake: 0.25,
      outputReal: 0.5,
      outputFake: 0.125,
      gradientNorm: 5,
      gradientBytes: 4 * length * 8,
      tensors: 7,
    });
    expect(first?.generator).toMatchObject({ lossReal: 0, lossFake: 0, gradientNorm: 5 });
    const shard = { prepare: 0.001, compute: 0.002, round: 0.003 };
    expect(first?.generator.seconds.shards).toEqual([shard, shard, shard, shard]);
  });
});

describe('the loop', () => {
  it('commits every step in order, and waits for it before the next', async () => {
    const state = initialState(LATENT, 1);
    const replicas = new StubComputer(state);
    const events: string[] = [];
    const commit = async ({ step }: StepRecord): Promise<void> => {
      events.push(`commit ${step} of ${state.step}, asked ${replicas.asked.length}`);
      for (let i = 0; i < 5; i++) await settled();
      events.push(`committed ${step}, asked ${replicas.asked.length}`);
    };
    await train(trainerOptions({ state, replicas, commit }));
    expect(events).toEqual([
      'commit 1 of 1, asked 8',
      'committed 1, asked 8',
      'commit 2 of 2, asked 16',
      'committed 2, asked 16',
    ]);
  });

  it('ends after the step in which a stop is asked for', async () => {
    let stopping = false;
    const options = trainerOptions({
      lastStep: 9,
      shouldStop: () => stopping,
      commit: async ({ step }) => {
        stopping = step === 2;
      },
    });
    await train(options);
    expect(options.state.step).toBe(2);
    await train(options); // asked for before the first step
    expect(options.state.step).toBe(2);
  });

  it('rejects with the error of a shard, and does not commit', async () => {
    const commit = () => expect.unreachable();
    const replicas = { compute: () => Promise.reject(new Error('shard 2 failed')) };
    const options = trainerOptions({ commit, replicas });
    await expect(train(options)).rejects.toThrow('shard 2 failed');
    expect(options.state.step).toBe(0);
  });
});
