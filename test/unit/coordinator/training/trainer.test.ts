import { describe, expect, it } from 'vitest';
import { stateSha256 } from '../../../../coordinator/checkpoints/checkpoint.ts';
import { toHost } from '../../../../coordinator/replicas/replica.ts';
import type { ShardComputer } from '../../../../coordinator/training/phase.ts';
import { createSampler } from '../../../../coordinator/training/sampler.ts';
import { initialState, type TrainingState } from '../../../../coordinator/training/state.ts';
import { type StepRecord, train } from '../../../../coordinator/training/trainer.ts';
import { phaseVectorOf } from '../../../../shared/model/phase-vector.ts';
import { dcgan28 } from '../../../../shared/model/spec.ts';
import { settled } from '../replicas/stub-replicas.ts';
import { localNodes } from './local-nodes.ts';
import { LATENT, type Order, resultOf, StubComputer, trainerOptions } from './stub-computer.ts';

/** Trains two steps of four shards from the same start. */
async function trained(order?: Order, steps = 2): Promise<TrainingState> {
  const state = initialState(dcgan28(LATENT), 1);
  await train(trainerOptions({ state, replicas: new StubComputer(state, order), totalSteps: steps }));
  return state;
}

describe('the state after training', () => {
  it('does not depend on the order in which shards are accepted', async () => {
    const expected = stateSha256(await trained());
    expect(stateSha256(await trained((shards) => shards.toReversed()))).toBe(expected);
    expect(stateSha256(await trained((shards) => [...shards.slice(2), ...shards.slice(0, 2)]))).toBe(expected);
    expect(expected).not.toBe(stateSha256(initialState(dcgan28(LATENT), 1)));
  });

  it('does not depend on the number of nodes', async () => {
    const states = [initialState(dcgan28(LATENT), 1), initialState(dcgan28(LATENT), 1)];
    const computers = states.map((state) => new StubComputer(state));
    await Promise.all(
      localNodes(2).map((communicator, i) => {
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

  it('does not depend on nodes that have no shard of their own', async () => {
    const whole = initialState(dcgan28(LATENT), 1);
    await train(trainerOptions({ state: whole, shards: 2, totalSteps: 3 }));
    const states = localNodes(3).map((communicator) => ({ communicator, state: initialState(dcgan28(LATENT), 1) }));
    await Promise.all(
      states.map(({ communicator, state }) => train(trainerOptions({ communicator, state, shards: 2, totalSteps: 3 }))),
    );
    expect(states.map(({ state }) => stateSha256(state))).toEqual(Array(3).fill(stateSha256(whole)));
  });

  it('does not depend on a stop between two steps', async () => {
    const expected = stateSha256(await trained(undefined, 3));
    const state = await trained(undefined, 1);
    await train(trainerOptions({ state, totalSteps: 3 }));
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
    const state = initialState(dcgan28(LATENT), 1);
    const before = state.discriminator.parameters[0];
    const jobs: string[] = [];
    const imagesOf = createSampler({ seed: 1, count: 10, batch: 4, shards: 2 });
    await train(
      trainerOptions({
        state,
        shards: 2,
        totalSteps: 3,
        replicas: {
          async compute(shards, accept) {
            for (const shard of shards) {
              jobs.push(`${shard.step} ${shard.pass} ${shard.shard}`);
              expect(shard.images).toEqual(
                shard.pass === 'real' ? imagesOf(shard.step).shards[shard.shard] : undefined,
              );
              const moved = state.discriminator.parameters[0] !== before;
              expect(moved).toBe(shard.step > 0 || shard.pass === 'generator');
              accept(
                shard,
                resultOf(shard.pass, () => 0.25),
              );
            }
            return [];
          },
        },
      }),
    );
    expect(jobs).toEqual(
      [
        ['0 real', '0 fake', '0 generator', '1 real', '1 fake', '1 generator'],
        ['2 real', '2 fake', '2 generator'], // real images of the next step beside the generator phase
      ].flatMap((passes) => passes.flatMap((pass) => [`${pass} 0`, `${pass} 1`])),
    );
  });

  it('applies Adam to the mean over shards, and tracks the mean statistics', async () => {
    const state = initialState(dcgan28(LATENT), 1);
    const { layout } = state.discriminator;
    const before = state.discriminator.parameters.slice();
    // Shards 0 to 3 give 1, 2, 3, 4: the mean is 2.5. On fake images the gradient is 0.
    const compute = async (
      shards: Parameters<StubComputer['compute']>[0],
      accept: Parameters<StubComputer['compute']>[1],
    ) => {
      for (const shard of shards)
        accept(
          shard,
          resultOf(shard.pass, (at) => (shard.pass === 'fake' && at < layout.parameterCount ? 0 : shard.shard + 1)),
        );
      return [];
    };
    await train(trainerOptions({ state, totalSteps: 1, replicas: { compute } }));
    const { adam, parameters, statistics } = state.discriminator;
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
});

describe('the record of a step', () => {
  it('says what happened, by hand', async () => {
    const records: StepRecord[] = [];
    const { scalars, gradientCount, length } = phaseVectorOf('discriminator', dcgan28(LATENT));
    await train(
      trainerOptions({
        // 10 images, 4 a step: the third step is the first of epoch 1.
        totalSteps: 3,
        commit: async (record) => void records.push(record),
        replicas: {
          async compute(shards, accept) {
            for (const shard of shards) {
              const result = resultOf(shard.pass, () => 0);
              const values = toHost(result.values);
              // Sums over 4 shards: (12, 16), so the mean gradient is (3, 4) and its norm 5.
              values.set([3, 4], 0);
              if (shard.pass === 'real') {
                values.set([1, 4], 0);
                // Losses 0, 1, 2, 3: mean 1.5.
                values[scalars.lossReal] = shard.shard;
                values[scalars.outputReal] = 0.5;
                // Not part of the gradient.
                values[gradientCount + 4] = 1000;
              } else if (shard.pass === 'fake') {
                values.set([2, 0], 0);
                values[scalars.lossFake] = 0.25;
                values[scalars.outputFake] = 0.125;
              }
              accept(shard, result);
            }
            return [];
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
      gradientBytes: 8 * length * 4, // two passes of four shards, float32
      tensors: 7,
    });
    expect(first?.generator).toMatchObject({ lossReal: 0, lossFake: 0, gradientNorm: 5 });
    const shard = { start: 1, prepare: 0.001, compute: 0.002, copy: 0.003 };
    expect(first?.generator.seconds.shards).toEqual([shard, shard, shard, shard]);
  });
});

describe('the loop', () => {
  it('commits every step in order, beside the shards of the next, and changes the state only after it', async () => {
    const state = initialState(dcgan28(LATENT), 1);
    const replicas = new StubComputer(state);
    const events: string[] = [];
    const commit = async ({ step }: StepRecord): Promise<void> => {
      const before = stateSha256(state);
      events.push(`commit ${step} of ${state.step}, asked ${replicas.asked.length}`);
      for (let i = 0; i < 20; i++) await settled();
      events.push(`committed ${step}, asked ${replicas.asked.length}`);
      expect(stateSha256(state)).toBe(before);
    };
    await train(trainerOptions({ state, replicas, commit }));
    expect(events).toEqual([
      'commit 1 of 1, asked 20', // the whole first step, and the discriminator phase of the second
      'committed 1, asked 20',
      'commit 2 of 2, asked 24',
      'committed 2, asked 24',
    ]);
  });

  it('ends after the step that is under way when a stop is asked for', async () => {
    let stopping = false;
    const committed: number[] = [];
    const options = trainerOptions({
      totalSteps: 9,
      shouldStop: () => stopping,
      commit: async ({ step }) => {
        stopping = step === 2; // the third is under way
        committed.push(step);
      },
    });
    await train(options);
    expect(options.state.step).toBe(3);
    stopping = true;
    await train(options); // asked for before the first step
    expect(options.state.step).toBe(3);
    expect(committed).toEqual([1, 2, 3]);
  });

  it('rejects with the error of a shard, and does not commit', async () => {
    const commit = () => expect.unreachable();
    const replicas = { compute: () => Promise.reject(new Error('shard 2 failed')) };
    const options = trainerOptions({ commit, replicas });
    await expect(train(options)).rejects.toThrow('shard 2 failed');
    expect(options.state.step).toBe(0);
  });

  it('leaves the state as it was after the last whole step when a shard of the generator phase fails', async () => {
    const whole = initialState(dcgan28(LATENT), 1);
    await train(trainerOptions({ state: whole, totalSteps: 1 }));
    const state = initialState(dcgan28(LATENT), 1);
    const stub = new StubComputer(state);
    const replicas: ShardComputer = {
      compute(shards, accept) {
        const [first] = shards;
        if (first?.step === 1 && first.pass === 'generator') return Promise.reject(new Error('no replica is left'));
        return stub.compute(shards, accept);
      },
    };
    await expect(train(trainerOptions({ state, replicas, totalSteps: 3 }))).rejects.toThrow('no replica is left');
    expect(stateSha256(state)).toBe(stateSha256(whole));
  });

  it('does not commit a step twice when the commit fails', async () => {
    const committed: number[] = [];
    const commit = async ({ step }: StepRecord): Promise<void> => {
      committed.push(step);
      throw new Error('disk full');
    };
    const options = trainerOptions({ commit, totalSteps: 3 });
    await expect(train(options)).rejects.toThrow('disk full');
    expect([committed, options.state.step]).toEqual([[1], 1]);
  });
});
