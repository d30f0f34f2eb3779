// Which images each shard of a step trains on: a pure function of (seed, step), so that the position in the data is a number.
import { randomWords } from '../../shared/random.ts';

export interface SamplerOptions {
  readonly seed: number;
  /** Images in the dataset. */
  readonly count: number;
  /** Images a step. The images left over at the end of an epoch, fewer than a batch, wait for the next epoch's shuffle. */
  readonly batch: number;
  readonly shards: number;
}

/** The images of one step. */
export interface StepImages {
  /** From 0. */
  readonly epoch: number;
  /** For every shard the indices of its images, `batch / shards` each. */
  readonly shards: readonly Uint32Array[];
}

export function countStepsPerEpoch({ count, batch }: Pick<SamplerOptions, 'count' | 'batch'>): number {
  return Math.floor(count / batch);
}

/** Steps of a whole run. */
export function countTotalSteps(
  { steps, epochs }: { readonly steps: number | null; readonly epochs: number | null },
  stepsPerEpoch: number,
): number {
  return steps ?? (epochs ?? 0) * stepsPerEpoch;
}

/** A uniformly random order of 0 .. count - 1 (Fisher-Yates), the same for the same seed and epoch. */
export function shuffle(seed: number, epoch: number, count: number): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  const words = randomWords({ seed, stream: 'sampler', time: epoch, part: 0 }, count);
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor(((words[i] as number) * (i + 1)) / 2 ** 32);
    const swapped = order[i] as number;
    order[i] = order[j] as number;
    order[j] = swapped;
  }
  return order;
}

/**
 * The sampler of a run: step (from 0) to images. The order of one epoch is kept between calls.
 */
export function createSampler(options: SamplerOptions): (step: number) => StepImages {
  const { seed, count, batch, shards } = options;
  const stepsPerEpoch = countStepsPerEpoch(options);
  const shardSize = batch / shards;
  let known: { epoch: number; order: Uint32Array } = { epoch: -1, order: new Uint32Array(0) };
  return (step) => {
    const epoch = Math.floor(step / stepsPerEpoch);
    if (known.epoch !== epoch) known = { epoch, order: shuffle(seed, epoch, count) };
    const first = (step % stepsPerEpoch) * batch;
    return {
      epoch,
      shards: Array.from({ length: shards }, (_, shard) =>
        known.order.slice(first + shard * shardSize, first + (shard + 1) * shardSize),
      ),
    };
  };
}
