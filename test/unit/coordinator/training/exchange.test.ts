import { describe, expect, it } from 'vitest';
import { stateSha256 } from '../../../../coordinator/checkpoints/checkpoint.ts';
import type { Communicator } from '../../../../coordinator/training/communicator.ts';
import { initialState, type TrainingState } from '../../../../coordinator/training/state.ts';
import { type StepRecord, type TrainerOptions, train } from '../../../../coordinator/training/trainer.ts';
import { GanglionError } from '../../../../shared/error.ts';
import { dcgan28 } from '../../../../shared/model/spec.ts';
import { type Death, Died, localNodes } from './local-nodes.ts';
import { LATENT, StubComputer, trainerOptions } from './stub-computer.ts';

const STEPS = 2;

interface Outcome {
  readonly node: number;
  readonly state: TrainingState;
  readonly error: unknown;
  readonly steps: readonly number[];
}

/** Trains on several nodes, each of which has a state of its own. */
async function trainOn(
  communicators: readonly Communicator[],
  optionsOf: (node: number, state: TrainingState) => Partial<TrainerOptions> = () => ({}),
): Promise<Outcome[]> {
  return await Promise.all(
    communicators.map(async (communicator) => {
      const { node } = communicator;
      const state = initialState(dcgan28(LATENT), 1);
      const steps: number[] = [];
      const commit = async ({ step }: StepRecord) => void steps.push(step);
      const options = trainerOptions({ state, communicator, commit, totalSteps: STEPS, ...optionsOf(node, state) });
      const error = await train(options).then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      return { node, state, error, steps };
    }),
  );
}

const known = new Map<number, string>();

/** Hash of the state that one node has after so many steps. */
async function unfailed(totalSteps = STEPS): Promise<string> {
  const state = initialState(dcgan28(LATENT), 1);
  if (!known.has(totalSteps)) await train(trainerOptions({ state, totalSteps }));
  const hash = known.get(totalSteps) ?? stateSha256(state);
  known.set(totalSteps, hash);
  return hash;
}

/** A step has two reductions, and the end an agreement. */
const OPERATIONS = STEPS * 2 + 1;

async function expectSurvivors(size: number, deaths: readonly Death[], names: readonly number[]): Promise<void> {
  const outcomes = await trainOn(localNodes(size, deaths));
  const expected = await unfailed();
  for (const { node, state, error, steps } of outcomes) {
    if (names.includes(node)) {
      expect([node, error, stateSha256(state), steps]).toEqual([node, undefined, expected, [1, 2]]);
    } else expect(error).toBeInstanceOf(Died);
  }
}

describe('a node that dies', () => {
  const everyOperation = Array.from({ length: OPERATIONS }, (_, at) => at);

  it.each(everyOperation)('before operation %i leaves the others the unfailed bits', async (at) => {
    await expectSurvivors(3, [{ node: 1, at }], [0, 2]);
  });

  it.each(everyOperation)(
    'in operation %i, which is done at one of the others, leaves them the unfailed bits',
    async (at) => {
      await expectSurvivors(3, [{ node: 1, at, doneAt: [2] }], [0, 2]);
      await expectSurvivors(3, [{ node: 2, at, doneAt: [0] }], [0, 1]);
    },
  );

  it('is the first of three: the others end a step together, with its unfailed bits', async () => {
    for (const at of everyOperation) {
      const outcomes = await trainOn(localNodes(3, [{ node: 0, at, doneAt: [1] }]), () => ({ totalSteps: 3 }));
      const ends = Math.min(3, Math.floor(at / 2) + (at % 2) + 1);
      for (const { node, state, error } of outcomes.slice(1)) {
        expect([at, node, error, state.step]).toEqual([at, node, undefined, ends]);
        expect(stateSha256(state)).toBe(await unfailed(ends));
      }
    }
  });

  it('is one of two at once, of five', async () => {
    await expectSurvivors(
      5,
      [
        { node: 2, at: 3 },
        { node: 4, at: 3 },
      ],
      [0, 1, 3],
    );
    await expectSurvivors(
      5,
      [
        { node: 2, at: 2, doneAt: [0, 4] },
        { node: 3, at: 3 },
      ],
      [0, 1, 4],
    );
  });

  it('dies while the others recover from the death of another', async () => {
    await expectSurvivors(
      5,
      [
        { node: 1, at: 3 },
        { node: 2, at: 4 },
      ],
      [0, 3, 4],
    );
    // Node 4 is behind: its next operations are a recovery and the broadcast.
    await expectSurvivors(
      5,
      [
        { node: 1, at: 3, doneAt: [0, 2, 3] },
        { node: 4, at: 5 },
      ],
      [0, 2, 3],
    );
  });

  it('is the second of two: the first goes on alone', async () => {
    await expectSurvivors(2, [{ node: 1, at: 3 }], [0]);
  });

  it('is the first of two: the second has no quorum, and its state is that of a whole step', async () => {
    for (const at of everyOperation.slice(0, -1)) {
      const [, second] = await trainOn(localNodes(2, [{ node: 0, at }]));
      expect(second?.error).toMatchObject({
        code: 'nodes',
        message: 'lost 1 of 2 nodes (0); expected more than half to be left, or half with node 0',
      });
      const { state } = second ?? {};
      expect(state && stateSha256(state)).toBe(await unfailed(Math.floor(at / 2)));
    }
  });
});

describe('a node that cannot go on', () => {
  const failure = new GanglionError('faults', 'no replica is left');

  it.each(['real', 'fake', 'generator'] as const)('ends all in the phase of a pass: %s', async (pass) => {
    const outcomes = await trainOn(localNodes(3), (node, state) => {
      const whole = new StubComputer(state);
      const failing = {
        compute: (...[shards, accept]: Parameters<StubComputer['compute']>) => {
          if (node === 1 && shards[0]?.pass === pass && shards[0].step === 1) return Promise.reject(failure);
          return whole.compute(shards, accept);
        },
      };
      return { replicas: failing };
    });
    for (const { node, error, state } of outcomes) {
      if (node === 1) expect(error).toBe(failure);
      else expect(error).toMatchObject({ code: 'faults', message: 'node 1 gave up' });
      expect([state.step, stateSha256(state)]).toEqual([1, await unfailed(1)]);
    }
  });

  it('ends all when it cannot write a step', async () => {
    const full = new GanglionError('environment', 'the disk is full');
    const outcomes = await trainOn(localNodes(2), (node) => (node === 0 ? { commit: () => Promise.reject(full) } : {}));
    expect(outcomes.map(({ error }) => error)).toMatchObject([full, { message: 'node 0 gave up' }]);
    expect(outcomes.map(({ state }) => state.step)).toEqual([1, 1]);
  });
});

describe('a wish to stop', () => {
  it.each([0, 1, 2])('of node %i ends all after the same step', async (wishing) => {
    const asked = [false, false, false];
    const outcomes = await trainOn(localNodes(3), (node) => ({
      totalSteps: 9,
      shouldStop: () => asked[node] === true,
      commit: async ({ step }) => {
        if (node === wishing && step === 2) asked[node] = true;
      },
    }));
    expect(outcomes.map(({ error, state }) => [error, state.step])).toEqual(Array(3).fill([undefined, 3]));
    expect(outcomes.map(({ state }) => stateSha256(state))).toEqual(Array(3).fill(await unfailed(3)));
  });
});

describe('a sum over nodes', () => {
  it('is not used when it lacks a shard', async () => {
    const forgetful = localNodes(2).map(
      (communicator): Communicator => ({
        ...communicator,
        members: communicator.members,
        async allReduceSum(from, into) {
          into.set(from); // as a library does that reports success with data that was not added
          return true;
        },
      }),
    );
    for (const { error, state } of await trainOn(forgetful)) {
      const message = "the discriminator phase's sum has 4 of 8 results; it was not used";
      expect(error).toMatchObject({ code: 'nodes', message });
      expect(stateSha256(state)).toBe(await unfailed(0));
    }
  });
});

describe('what nodes tell each other', () => {
  it('comes to the first one beside the sums, whole, also when others die meanwhile', async () => {
    const totalSteps = 12;
    const told: [number, string][] = [];
    const text = (node: number): string => `${node}${'x'.repeat(1600)}${node}`;
    const outcomes = await trainOn(localNodes(4, [{ node: 2, at: 5, doneAt: [3] }]), (node) => ({
      totalSteps,
      tell: () => text(node),
      ...(node === 0 && { onTold: (from: number, whole: string) => void told.push([from, whole]) }),
    }));
    const hash = await unfailed(totalSteps);
    for (const node of [0, 1, 3]) {
      const { state, error } = outcomes[node] ?? {};
      expect([node, error, state && stateSha256(state)]).toEqual([node, undefined, hash]);
    }
    expect(new Set(told.map(([from]) => from))).toEqual(new Set([1, 3]));
    for (const [from, whole] of told) expect(whole).toBe(text(from));
  });
});
