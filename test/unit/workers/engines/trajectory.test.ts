// Twenty steps with one shard against PyTorch's own (test/golden/make_golden.py), through the real trainer: graphs, exact sum,
// Adam, running statistics.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { loadMnistPackage } from '../../../../coordinator/data/mnist-package.ts';
import { SINGLE_NODE } from '../../../../coordinator/training/communicator.ts';
import { initialState } from '../../../../coordinator/training/state.ts';
import { type StepRecord, train } from '../../../../coordinator/training/trainer.ts';
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

async function trajectory(backend: Backend): Promise<StepRecord[]> {
  const { seed, latent, batch, steps } = golden.config;
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
    adam: { generator: ADAM, discriminator: ADAM },
    seed,
    batch,
    shards: 1,
    totalSteps: steps,
    maxSkipped: 0,
    shouldStop: () => false,
    commit: async (record) => {
      records.push(record);
    },
  });
  replica.dispose();
  return records;
}

describe.each(['cpu', ...withTensorflow('tensorflow'), 'wasm'] as const)(
  'training trajectory on %s against PyTorch',
  async (backend) => {
    const records = await trajectory(backend);

    it('has every step', () => {
      expect(records.length).toBe(20);
    });

    it.each(golden.float32.map((expected, step) => ({ step, expected })))(
      'step $step: losses',
      ({ step, expected }) => {
        const record = records[step];
        const within = (value = Number.NaN, reference = Number.NaN) =>
          expect(Math.abs(value - reference)).toBeLessThan(1e-3);
        within(record?.discriminator.lossReal, expected.lossReal);
        within(record?.discriminator.lossFake, expected.lossFake);
        within(record?.generator.lossFake, expected.lossG);
        within(record?.discriminator.outputReal, expected.meanDx);
        within(record?.discriminator.outputFake, expected.meanDGz);
      },
    );
  },
);
