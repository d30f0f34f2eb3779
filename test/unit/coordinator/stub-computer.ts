// Made-up shard results for tests of the trainer: small values on the exact grid that depend on phase, step, shard and, as
// gradients do, on the parameters.

import { type Communicator, SINGLE_NODE } from '../../../coordinator/communicator.ts';
import { toDataset } from '../../../coordinator/data/dataset.ts';
import type { Shard, ShardResult } from '../../../coordinator/replica.ts';
import type { TrainingState } from '../../../coordinator/state.ts';
import { initialState } from '../../../coordinator/state.ts';
import type { ShardComputer, TrainerOptions } from '../../../coordinator/trainer.ts';
import { roundOne } from '../../../shared/exact-sum.ts';
import { phaseVectorOf } from '../../../shared/phase-vector.ts';
import { settled } from './stub-replicas.ts';

export const LATENT = 1;
const SECONDS = { prepare: 0.001, compute: 0.002, round: 0.003 };

/** Ten images; every pixel of image i is i. */
export const DATASET = toDataset(
  'ten',
  Uint8Array.from({ length: 10 * 784 }, (_, i) => Math.floor(i / 784)),
  Uint8Array.from({ length: 10 }, (_, i) => i),
);

/** A result whose values are `valueAt(position)`, zero where the phase writes nothing. */
export function resultOf(phase: Shard['phase'], valueAt: (at: number) => number): ShardResult {
  const { slices, scalars, length } = phaseVectorOf(phase, LATENT);
  const values = new Float64Array(length);
  for (const { offset, size } of slices) for (let i = offset; i < offset + size; i++) values[i] = valueAt(i);
  for (const offset of Object.values(scalars)) values[offset] = valueAt(offset);
  return { values, seconds: SECONDS, tensors: 7 };
}

/** Between -1/16 and 1/16, a multiple of 2^-40 with all its bits in use. */
function madeUp(state: TrainingState, { phase, step, shard }: Shard): ShardResult {
  let word = (step * 1000 + shard * 10 + (phase === 'generator' ? 1 : 2)) >>> 0;
  // Every shard of a phase reads parameters of both nets.
  const pull = (state.generator.parameters[5] ?? 0) + (state.discriminator.parameters[5] ?? 0);
  return resultOf(phase, () => {
    word = (Math.imul(word, 1664525) + 1013904223) >>> 0;
    return roundOne((word / 2 ** 32 - 0.5 + pull) / 8);
  });
}

export type Order = (shards: readonly Shard[]) => readonly Shard[];

/** Computes made-up shards one after another in the order given, and remembers what it was asked for. */
export class StubComputer implements ShardComputer {
  readonly asked: Shard[] = [];
  readonly #state: TrainingState;
  readonly #order: Order;

  constructor(state: TrainingState, order: Order = (shards) => shards) {
    this.#state = state;
    this.#order = order;
  }

  async compute(shards: readonly Shard[], accept: (shard: Shard, result: ShardResult) => void): Promise<void> {
    this.asked.push(...shards);
    for (const shard of this.#order(shards)) {
      await settled();
      accept(shard, madeUp(this.#state, shard));
    }
  }
}

/** Options of a run of two steps and four shards that no one stops. */
export function trainerOptions(given: Partial<TrainerOptions> = {}): TrainerOptions {
  const state = given.state ?? initialState(LATENT, 1);
  return {
    state,
    dataset: DATASET,
    replicas: new StubComputer(state),
    communicator: SINGLE_NODE,
    adam: { learningRate: 2e-4, beta1: 0.5, beta2: 0.999, epsilon: 1e-8 },
    seed: 1,
    batch: 4,
    shards: 4,
    lastStep: 2,
    shouldStop: () => false,
    commit: async () => {},
    ...given,
  };
}

/** Nodes of one group in this process: a sum is there when all have come. */
export function communicators(size: number): Communicator[] {
  const waiting: { values: Float64Array; go: () => void }[] = [];
  return Array.from({ length: size }, (_, rank) => ({
    rank,
    size,
    allReduceSum: (values) =>
      new Promise<void>((resolve) => {
        waiting.push({ values, go: resolve });
        if (waiting.length < size) return;
        const all = waiting.splice(0);
        const sum = all.reduce(
          (total, part) => total.map((value, i) => value + (part.values[i] ?? 0)),
          new Float64Array(values.length),
        );
        for (const part of all) {
          part.values.set(sum);
          part.go();
        }
      }),
  }));
}
