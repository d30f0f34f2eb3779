// The algorithm. One step: the discriminator phase, then the generator phase; in each the shards' vectors are added exactly
// and Adam is applied to the mean. Radford et al. 2015 (DCGAN); Goodfellow et al. 2014 (non-saturating loss).

import { addExact } from '../shared/exact-sum.ts';
import type { Phase } from '../shared/layout.ts';
import { type PhaseVector, phaseVectorOf, type ScalarName } from '../shared/phase-vector.ts';
import { type AdamOptions, adamStep } from './adam.ts';
import type { Communicator } from './communicator.ts';
import { type Dataset, IMAGE_PIXELS } from './data/dataset.ts';
import type { Shard, ShardResult } from './replica.ts';
import { createSampler, type StepImages } from './sampler.ts';
import { type TrainingState, trackStatistics } from './state.ts';

/** What the trainer needs of the replicas. */
export interface ShardComputer {
  compute(shards: readonly Shard[], accept: (shard: Shard, result: ShardResult) => void): Promise<void>;
}

/** What happened in one phase. */
export interface PhaseRecord {
  /** Mean loss on real and on fake images; the generator has none on real ones. */
  readonly lossReal: number;
  readonly lossFake: number;
  /** Mean output of D, a probability, on real and on fake images. */
  readonly outputReal: number;
  readonly outputFake: number;
  /** L2 norm of the mean gradient. */
  readonly gradientNorm: number;
  /** Bytes of results that the replicas handed over. */
  readonly gradientBytes: number;
  /** Seconds: the whole phase; waiting for replicas in it; exact sum; Adam; and every shard's own parts. */
  readonly seconds: {
    readonly phase: number;
    readonly sum: number;
    readonly adam: number;
    readonly shards: readonly ShardResult['seconds'][];
  };
  /** Tensors alive in the replica that answered last. */
  readonly tensors: number;
}

/** What happened in one step. */
export interface StepRecord {
  /** Steps done, so 1 after the first. */
  readonly step: number;
  /** Epoch of the step's images, from 0. */
  readonly epoch: number;
  readonly seconds: number;
  readonly discriminator: PhaseRecord;
  readonly generator: PhaseRecord;
}

export interface TrainerOptions {
  readonly state: TrainingState;
  readonly dataset: Dataset;
  readonly replicas: ShardComputer;
  readonly communicator: Communicator;
  readonly adam: AdamOptions;
  readonly seed: number;
  readonly batch: number;
  readonly shards: number;
  /** Steps done when training ends. */
  readonly lastStep: number;
  /** Asked before every step; training ends after the step in which it becomes true. */
  readonly shouldStop: () => boolean;
  /** The step's commit: log, metrics, samples, checkpoint. The next step waits for it. */
  readonly commit: (record: StepRecord) => Promise<void>;
}

/**
 * Trains until `lastStep` or a stop, changing `state` in place.
 *
 * @throws GanglionError when a shard cannot be computed; `state` is then in the middle of a step
 */
export async function train(options: TrainerOptions): Promise<void> {
  const { state, dataset, communicator, seed, batch, shards, lastStep, shouldStop, commit } = options;
  const imagesOf = createSampler({ seed, count: dataset.count, batch, shards });
  const own = Array.from({ length: shards }, (_, shard) => shard).filter(
    (shard) => shard % communicator.size === communicator.rank,
  );
  const pixels = own.map(() => new Uint8Array(new SharedArrayBuffer((batch / shards) * IMAGE_PIXELS)));
  const runPhase = createPhase(options, own.length);

  let images = imagesOf(state.step);
  gatherPixels(dataset, images, own, pixels);
  while (state.step < lastStep && !shouldStop()) {
    const started = performance.now();
    const { step } = state;
    const { epoch } = images;

    const discriminator = await runPhase(
      'discriminator',
      own.map((shard, i) => ({ step, phase: 'discriminator', shard, pixels: pixels[i] ?? new Uint8Array() })),
    );
    const generatorPhase = runPhase(
      'generator',
      own.map((shard) => ({ step, phase: 'generator', shard })),
    );
    // The generator phase needs no images: those of the next step are fetched beside it.
    images = imagesOf(step + 1);
    gatherPixels(dataset, images, own, pixels);
    const generator = await generatorPhase;

    state.step = step + 1;
    const seconds = (performance.now() - started) / 1000;
    await commit({ step: state.step, epoch, seconds, discriminator, generator });
  }
}

/** Copies the images of this node's shards to where replicas read them. */
function gatherPixels(dataset: Dataset, images: StepImages, own: readonly number[], out: readonly Uint8Array[]): void {
  for (const [i, shard] of own.entries()) {
    for (const [row, image] of (images.shards[shard] ?? []).entries()) {
      out[i]?.set(dataset.images.subarray(image * IMAGE_PIXELS, (image + 1) * IMAGE_PIXELS), row * IMAGE_PIXELS);
    }
  }
}

/** One phase: compute shards, add exactly, apply Adam, move the running statistics. */
function createPhase(options: TrainerOptions, ownShards: number) {
  const { state, replicas, communicator, adam, shards } = options;
  const vectors = {
    discriminator: phaseVectorOf('discriminator', state.latent),
    generator: phaseVectorOf('generator', state.latent),
  };
  const sums = {
    discriminator: new Float64Array(vectors.discriminator.length),
    generator: new Float64Array(vectors.generator.length),
  };
  const scale = 1 / shards;

  return async (phase: Phase, jobs: readonly Shard[]): Promise<PhaseRecord> => {
    const started = performance.now();
    const vector = vectors[phase];
    const sum = sums[phase];
    if (jobs.length === 0) sum.fill(0);
    const shardSeconds: ShardResult['seconds'][] = [];
    let sumMs = 0;
    let tensors = 0;
    await replicas.compute(jobs, (_, result) => {
      const from = performance.now();
      if (shardSeconds.length === 0) sum.set(result.values);
      else addExact(sum, result.values);
      shardSeconds.push(result.seconds);
      tensors = result.tensors;
      sumMs += performance.now() - from;
    });
    await communicator.allReduceSum(sum);

    const beforeAdam = performance.now();
    const net = state[phase];
    adamStep(adam, net.adam, net.parameters, sum, scale);
    for (const slice of vector.statistics) {
      trackStatistics(state[slice.net], sum.subarray(slice.offset, slice.offset + slice.size), scale);
    }
    const afterAdam = performance.now();
    return {
      ...scalarsOf(vector, sum, scale),
      gradientNorm: norm(sum, vector.gradientCount) * scale,
      gradientBytes: ownShards * sum.byteLength,
      seconds: {
        phase: (afterAdam - started) / 1000,
        sum: sumMs / 1000,
        adam: (afterAdam - beforeAdam) / 1000,
        shards: shardSeconds,
      },
      tensors,
    };
  };
}

function scalarsOf(vector: PhaseVector, sum: Float64Array, scale: number): Record<ScalarName, number> {
  const mean = (name: ScalarName): number => (sum[vector.scalars[name]] ?? 0) * scale;
  return {
    lossReal: mean('lossReal'),
    lossFake: mean('lossFake'),
    outputReal: mean('outputReal'),
    outputFake: mean('outputFake'),
  };
}

/** L2 norm of the first `count` values, in four sums side by side: replicas wait for it. */
function norm(values: Float64Array, count: number): number {
  let [a, b, c, d] = [0, 0, 0, 0];
  const whole = count - (count % 4);
  for (let i = 0; i < whole; i += 4) {
    a += (values[i] as number) ** 2;
    b += (values[i + 1] as number) ** 2;
    c += (values[i + 2] as number) ** 2;
    d += (values[i + 3] as number) ** 2;
  }
  for (let i = whole; i < count; i++) a += (values[i] as number) ** 2;
  return Math.sqrt(a + b + c + d);
}
