// Twenty steps with one shard against PyTorch's own (test/golden/make_golden.py), through the real trainer: graphs, exact sum, Adam, running
// statistics; and twelve by another recipe (make_recipe_golden.py): smoothed labels, a rate a net, and both on a cosine.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { loadMnistPackage } from '../../../../coordinator/data/mnist-package.ts';
import { SINGLE_NODE } from '../../../../coordinator/training/communicator.ts';
import { initialState } from '../../../../coordinator/training/state.ts';
import { type StepRecord, type TrainerOptions, train } from '../../../../coordinator/training/trainer.ts';
import type { Backend } from '../../../../shared/backend.ts';
import { type Pass, phaseOf } from '../../../../shared/model/layout.ts';
import { phaseVectorOf } from '../../../../shared/model/phase-vector.ts';
import { dcgan28 } from '../../../../shared/model/spec.ts';
import { createEngine } from '../../../../workers/engines/engines.ts';
import { Replica } from '../../../../workers/replica/replica.ts';
import { goldenDigits } from '../../../golden/golden.ts';
import { withTensorflow } from './tensorflow/ready.ts';

const ADAM = { learningRate: 2e-4, beta1: 0.5, beta2: 0.999, epsilon: 1e-8 };

interface GoldenStep {
  readonly lossReal: number;
  readonly lossFake: number;
  readonly lossG: number;
  readonly meanDx: number;
  readonly meanDGz: number;
}

const golden: {
  readonly config: { readonly seed: number; readonly latent: number; readonly batch: number; readonly steps: number };
  readonly float32: readonly GoldenStep[];
} = JSON.parse(readFileSync(new URL('../../../golden/trajectory.json', import.meta.url), 'utf8'));

const recipe: {
  readonly config: {
    readonly labelSmoothing: number;
    readonly lrG: number;
    readonly lrD: number;
    readonly steps: number;
  };
  readonly steps: readonly GoldenStep[];
} = JSON.parse(readFileSync(new URL('../../../golden/recipe.json', import.meta.url), 'utf8'));

type Recipe = Pick<TrainerOptions, 'adam' | 'decay' | 'totalSteps'> & { readonly realLabel?: number };

const DEFAULT: Recipe = { adam: { generator: ADAM, discriminator: ADAM }, totalSteps: golden.config.steps };
const OTHER: Recipe = {
  adam: {
    generator: { ...ADAM, learningRate: recipe.config.lrG },
    discriminator: { ...ADAM, learningRate: recipe.config.lrD },
  },
  decay: 'cosine',
  totalSteps: recipe.config.steps,
  realLabel: Math.fround(1 - recipe.config.labelSmoothing),
};

async function trajectory(backend: Backend, { realLabel, ...training }: Recipe): Promise<StepRecord[]> {
  const { seed, latent, batch } = golden.config;
  const state = initialState(dcgan28(latent), seed);
  const dataset = loadMnistPackage();
  const slots = (pass: Pass): [Float32Array, Float32Array] => {
    const slot = new Float32Array(phaseVectorOf(phaseOf(pass), dcgan28(latent)).length);
    return [slot, slot];
  };
  const results = { real: slots('real'), fake: slots('fake'), generator: slots('generator') };
  const replica = await Replica.start(await createEngine(backend), {
    replica: 0,
    backend,
    shardSize: batch,
    spec: dcgan28(latent),
    seed,
    shards: 1,
    realLabel,
    parameters: { generator: state.generator.parameters, discriminator: state.discriminator.parameters },
    results,
  });
  const records: StepRecord[] = [];
  await train({
    state,
    dataset,
    replicas: {
      async compute(shards, accept) {
        for (const shard of shards) {
          // The golden run takes its own order of the images.
          const pixels = [goldenDigits(dataset.images, shard.step, batch)];
          const seconds = await replica.compute({ ...shard, pixels, slot: 0 });
          accept(shard, { values: results[shard.pass][0].slice(), seconds, tensors: 0, release() {} });
        }
        return [];
      },
    },
    communicator: SINGLE_NODE,
    ...training,
    seed,
    batch,
    shards: 1,
    maxSkipped: 0,
    shouldStop: () => false,
    commit: async (record) => {
      records.push(record);
    },
  });
  replica.dispose();
  return records;
}

function expectNear(record: StepRecord | undefined, expected: GoldenStep): void {
  const { discriminator, generator } = record ?? {};
  const pairs = [
    [discriminator?.lossReal, expected.lossReal],
    [discriminator?.lossFake, expected.lossFake],
    [generator?.lossFake, expected.lossG],
    [discriminator?.outputReal, expected.meanDx],
    [discriminator?.outputFake, expected.meanDGz],
  ] as const;
  for (const [value = Number.NaN, reference] of pairs) expect(Math.abs(value - reference)).toBeLessThan(1e-3);
}

describe.each(['cpu', ...withTensorflow('tensorflow'), 'wasm'] as const)(
  'training trajectory on %s against PyTorch',
  async (backend) => {
    const records = await trajectory(backend, DEFAULT);
    const others = await trajectory(backend, OTHER);

    it('has every step', () => {
      expect([records.length, others.length]).toEqual([20, 12]);
    });

    it.each(golden.float32.map((expected, step) => ({ step, expected })))('step $step: losses', ({ step, expected }) =>
      expectNear(records[step], expected),
    );

    it.each(recipe.steps.map((expected, step) => ({ step, expected })))(
      'step $step of another recipe: losses',
      ({ step, expected }) => expectNear(others[step], expected),
    );
  },
);
