// Made-up shard results for tests of the trainer: small values that depend on pass, step, shard and, as gradients do, on the
// parameters.
import { toDataset } from '../../../../coordinator/data/dataset.ts';
import type { BadShard } from '../../../../coordinator/replicas/bad-shard.ts';
import type { Shard, ShardResult } from '../../../../coordinator/replicas/replica.ts';
import { SINGLE_NODE } from '../../../../coordinator/training/communicator.ts';
import type { ShardComputer } from '../../../../coordinator/training/phase.ts';
import type { TrainingState } from '../../../../coordinator/training/state.ts';
import { initialState } from '../../../../coordinator/training/state.ts';
import type { TrainerOptions } from '../../../../coordinator/training/trainer.ts';
import { type Pass, phaseOf } from '../../../../shared/model/layout.ts';
import { phaseVectorOf } from '../../../../shared/model/phase-vector.ts';
import { dcgan28 } from '../../../../shared/model/spec.ts';
import { settled } from '../replicas/stub-replicas.ts';

export const LATENT = 1;
const ADAM = { learningRate: 2e-4, beta1: 0.5, beta2: 0.999, epsilon: 1e-8 };
const SECONDS = { start: 1, prepare: 0.001, compute: 0.002, copy: 0.003 };

/** Ten images; every pixel of image i is i. */
export const DATASET = toDataset(
  'ten',
  Uint8Array.from({ length: 10 * 784 }, (_, i) => Math.floor(i / 784)),
  Uint8Array.from({ length: 10 }, (_, i) => i),
  [28, 28, 1],
);

/** Whether a pass writes an output or a scalar of its phase. */
function writes(pass: Pass, name: string): boolean {
  if (name.startsWith('gradient/') || pass === 'generator') return true;
  return pass === 'real' ? /real/i.test(name) : !/real/i.test(name);
}

/** A result whose values are `valueAt(position)`, zero where the pass writes nothing. */
export function resultOf(pass: Pass, valueAt: (at: number) => number): ShardResult {
  const { slices, scalars, length } = phaseVectorOf(phaseOf(pass), dcgan28(LATENT));
  const values = new Float32Array(length);
  for (const { output, offset, size } of slices) {
    if (writes(pass, output)) for (let i = offset; i < offset + size; i++) values[i] = valueAt(i);
  }
  for (const [name, offset] of Object.entries(scalars)) if (writes(pass, name)) values[offset] = valueAt(offset);
  // What is read after its release is found by its NaN.
  return { values, seconds: SECONDS, tensors: 7, release: () => values.fill(Number.NaN) };
}

/** Between -1/16 and 1/16, with all bits in use. */
function madeUp(state: TrainingState, { pass, step, shard }: Shard): ShardResult {
  let word = (step * 1000 + shard * 10 + ['generator', 'real', 'fake'].indexOf(pass)) >>> 0;
  // A pass over real images knows nothing of the generator.
  const ofG = pass === 'real' ? 0 : (state.generator.parameters[5] ?? 0);
  const pull = ofG + (state.discriminator.parameters[5] ?? 0);
  return resultOf(pass, () => {
    word = (Math.imul(word, 1664525) + 1013904223) >>> 0;
    return (word / 2 ** 32 - 0.5 + pull) / 8;
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

  async compute(shards: readonly Shard[], accept: (shard: Shard, result: ShardResult) => void): Promise<BadShard[]> {
    this.asked.push(...shards);
    for (const shard of this.#order(shards)) {
      await settled();
      accept(shard, madeUp(this.#state, shard));
    }
    return [];
  }
}

/** Options of a run of two steps and four shards that no one stops. */
export function trainerOptions(given: Partial<TrainerOptions> = {}): TrainerOptions {
  const state = given.state ?? initialState(dcgan28(LATENT), 1);
  return {
    state,
    dataset: DATASET,
    replicas: new StubComputer(state),
    communicator: SINGLE_NODE,
    adam: { generator: ADAM, discriminator: ADAM },
    seed: 1,
    batch: 4,
    shards: 4,
    totalSteps: 2,
    maxSkipped: 2,
    shouldStop: () => false,
    commit: async () => {},
    ...given,
  };
}
