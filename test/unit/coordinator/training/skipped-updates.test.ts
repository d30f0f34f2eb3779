// A shard that replicas agree to be bad: what it skips, what it leaves alone, and when it ends training.
import { describe, expect, it } from 'vitest';
import { stateSha256 } from '../../../../coordinator/checkpoints/checkpoint.ts';
import type { Shard } from '../../../../coordinator/replicas/replica.ts';
import type { ShardComputer } from '../../../../coordinator/training/phase.ts';
import { initialState, type TrainingState } from '../../../../coordinator/training/state.ts';
import { type StepRecord, train } from '../../../../coordinator/training/trainer.ts';
import { dcgan28 } from '../../../../shared/model/spec.ts';
import { localNodes } from './local-nodes.ts';
import { LATENT, StubComputer, trainerOptions } from './stub-computer.ts';

describe('a bad shard', () => {
  /** Replicas that find `bad` shards; what they accept of the others is added, as always. */
  function finding(state: TrainingState, isBad: (shard: Shard) => boolean): ShardComputer {
    const stub = new StubComputer(state);
    return {
      async compute(shards, accept) {
        await stub.compute(
          shards.filter((shard) => !isBad(shard)),
          accept,
        );
        return shards.filter(isBad).map((shard) => ({ shard, replicas: [0, 1], what: 'gradient/x[3] is NaN' }));
      },
    };
  }
  const ofG = ({ step, pass, shard }: Shard) => step === 1 && pass === 'generator' && shard === 2;
  const ofD = ({ step, pass, shard }: Shard) => step === 1 && pass === 'real' && shard === 2;

  it.each([
    ['generator', 'discriminator', ofG],
    ['discriminator', 'generator', ofD],
  ] as const)('skips the update of the %s alone, and is named', async (phase, other, isBad) => {
    const state = initialState(dcgan28(LATENT), 1);
    const states: string[] = [];
    const records: StepRecord[] = [];
    const commit = async (record: StepRecord): Promise<void> => {
      records.push(record);
      const { adam, parameters } = state[phase];
      states.push(JSON.stringify([adam.beta1Power, [...parameters], [...adam.m]]));
    };
    await train(trainerOptions({ state, totalSteps: 3, commit, replicas: finding(state, isBad) }));
    expect(states[1]).toBe(states[0]);
    expect(states[2]).not.toBe(states[0]);
    expect(records.map((record) => record[phase].skipped)).toEqual([false, true, false]);
    expect(records.map((record) => record[other].skipped)).toEqual([false, false, false]);
    expect(records[1]?.[phase].bad).toMatchObject([{ shard: { step: 1, shard: 2 }, replicas: [0, 1] }]);
    expect(records[1]?.[phase].lossFake).toBeNaN();
    expect(records[2]?.[phase].lossFake).not.toBeNaN();
    expect(state.discriminator.adam.beta1Power).toBe(0.5 ** (phase === 'discriminator' ? 2 : 3));
    // Of the forward passes of a skipped phase none is tracked.
    expect(state.discriminator.batchesTracked).toBe(phase === 'discriminator' ? 3 * 3 - 2 : 3 * 3 - 1);
    expect(state.generator.batchesTracked).toBe(3 * 2 - 1);
  });

  it('skips the update on every node', async () => {
    const states = [initialState(dcgan28(LATENT), 1), initialState(dcgan28(LATENT), 1)];
    const skipped: boolean[] = [];
    await Promise.all(
      localNodes(2).map((communicator, i) => {
        const state = states[i] ?? initialState(dcgan28(LATENT), 1);
        const commit = async ({ generator }: StepRecord) => void skipped.push(generator.skipped);
        return train(trainerOptions({ state, communicator, commit, replicas: finding(state, ofG) }));
      }),
    );
    expect(skipped.toSorted()).toEqual([false, false, true, true]);
    const [first, second] = states.map(stateSha256);
    expect(first).toBe(second);
  });

  it('ends training when it comes back too often, after the step is committed', async () => {
    const state = initialState(dcgan28(LATENT), 1);
    const committed: number[] = [];
    const commit = async ({ step }: StepRecord) => void committed.push(step);
    const isBad = ({ step, pass, shard }: Shard) => step > 0 && pass === 'fake' && shard === 1;
    const training = train(trainerOptions({ state, commit, totalSteps: 9, replicas: finding(state, isBad) }));
    await expect(training).rejects.toMatchObject({
      code: 'faults',
      message:
        '3 updates in a row skipped for bad gradients; the newest: step 3, discriminator phase on fake images, shard 1: gradient/x[3] is NaN (replicas 0 and 1 agree)',
    });
    expect(committed).toEqual([1, 2, 3, 4]);
    expect(state.step).toBe(4);
  });

  it('is counted on by a training that resumes, until an update is good again', async () => {
    const isBad = ({ step, pass, shard }: Shard) => step > 0 && step < 6 && pass === 'fake' && shard === 1;
    /** Steps committed by a training of its own for every part, and how it ends. */
    async function trainedTo(...parts: number[]) {
      const state = initialState(dcgan28(LATENT), 1);
      const committed: number[] = [];
      const commit = async ({ step }: StepRecord) => void committed.push(step);
      for (const totalSteps of parts) {
        const options = trainerOptions({ state, commit, totalSteps, replicas: finding(state, isBad) });
        const error = await train(options).catch(({ message }: Error) => message);
        if (error !== undefined) return { committed, error };
      }
      return { committed, error: undefined };
    }
    const unbroken = await trainedTo(9);
    expect(unbroken.error).toMatch(/^3 updates in a row skipped/);
    expect(await trainedTo(2, 3, 9)).toEqual(unbroken);
    expect(await trainedTo(1, 9)).toEqual(unbroken);
  });

  it('leaves the count as it was when its step cannot be ended', async () => {
    const state = initialState(dcgan28(LATENT), 1);
    const isBad = ({ step, pass, shard }: Shard) => step === 1 && pass === 'fake' && shard === 1;
    const replicas = finding(state, isBad);
    const compute: ShardComputer['compute'] = async (shards, accept) => {
      if (shards.some(({ step, pass }) => step === 1 && pass === 'generator')) throw new Error('all replicas are lost');
      return await replicas.compute(shards, accept);
    };
    await expect(train(trainerOptions({ state, totalSteps: 9, replicas: { compute } }))).rejects.toThrow('lost');
    expect(state).toMatchObject({ step: 1, discriminator: { skippedInARow: 0 } });
  });
});
