// Both phases against PyTorch's own numbers (test/golden/make_golden.py): every gradient, statistic, loss and output.
import { describe, expect, it } from 'vitest';
import { addRounded } from '../../../../shared/exact-sum.ts';
import { layoutOf, PASSES, type Pass, phaseOf } from '../../../../shared/model/layout.ts';
import { phaseVectorOf } from '../../../../shared/model/phase-vector.ts';
import { dcgan28 } from '../../../../shared/model/spec.ts';
import { toTorchLayout } from '../../../../shared/model/torch-layout.ts';
import type { HostSetup } from '../../../../shared/protocol.ts';
import { createEngine } from '../../../../workers/engines/engines.ts';
import { Replica } from '../../../../workers/replica/replica.ts';
import { GOLDEN, goldenPixels, initialParameters, readGolden } from '../../../golden/golden.ts';
import { withTensorflow } from './tensorflow/ready.ts';

const BATCH = GOLDEN.batch;
const STEP = GOLDEN.step;
const golden = readGolden();
const slots = (pass: Pass): [Float32Array, Float32Array] => [
  new Float32Array(phaseVectorOf(phaseOf(pass), dcgan28(GOLDEN.latent)).length),
  new Float32Array(0),
];
const results = { real: slots('real'), fake: slots('fake'), generator: slots('generator') };
const setup: Omit<HostSetup, 'backend'> = {
  replica: 0,
  shardSize: BATCH,
  spec: dcgan28(GOLDEN.latent),
  seed: GOLDEN.seed,
  shards: 1,
  parameters: { generator: initialParameters('generator'), discriminator: initialParameters('discriminator') },
  results,
};

/** Largest deviation, relative to the largest golden value. */
function relativeError(values: Float32Array, expected: Float32Array): number {
  expect(values.length).toBe(expected.length);
  let scale = 0;
  let error = 0;
  for (const [i, value] of expected.entries()) {
    scale = Math.max(scale, Math.abs(value));
    error = Math.max(error, Math.abs((values[i] ?? Number.NaN) - value));
  }
  return error / scale;
}

const PHASES = (['cpu', ...withTensorflow('tensorflow'), 'wasm'] as const).flatMap((backend) => [
  { backend, phase: 'discriminator' as const },
  { backend, phase: 'generator' as const },
]);

describe.each(PHASES)('$phase phase on $backend against PyTorch', async ({ backend, phase }) => {
  const replica = await Replica.start(await createEngine(backend), { ...setup, backend });
  const vector = phaseVectorOf(phase, dcgan28(GOLDEN.latent));
  const sum = new Float64Array(vector.length);
  for (const pass of PASSES[phase]) {
    await replica.compute({ step: STEP, pass, shard: 0, slot: 0, pixels: [goldenPixels(STEP, BATCH)] });
    addRounded(sum, [results[pass][0]], false);
  }
  const values = Float32Array.from(sum);
  replica.dispose();

  it.each(layoutOf(phase, dcgan28(GOLDEN.latent)).parameters)('gradient of $name', (parameter) => {
    const gradient = values.subarray(parameter.offset, parameter.offset + parameter.size);
    if (!parameter.trained) {
      expect(gradient.every((value) => value === 0)).toBe(true);
      return;
    }
    const inTorchLayout = toTorchLayout(parameter, gradient);
    expect(relativeError(inTorchLayout, golden(`${phase}/grad/${parameter.name}`))).toBeLessThan(1e-4);
  });

  it.each(vector.slices.filter(({ output }) => !output.startsWith('gradient/')))(
    'batch statistics $output',
    ({ output, offset, size }) => {
      const name = output.replace('/', '.').replace('.variance', '.var');
      const expected = golden(`${phase}/stats/${name}`);
      expect(relativeError(values.subarray(offset, offset + size), expected)).toBeLessThan(1e-4);
    },
  );

  it('losses and mean outputs', () => {
    const value = (name: keyof typeof vector.scalars) => values[vector.scalars[name]];
    const expected = (name: string) => golden(`${phase}/${name}`)[0] ?? Number.NaN;
    if (phase === 'discriminator') {
      expect(value('lossReal')).toBeCloseTo(expected('loss/real'), 5);
      expect(value('lossFake')).toBeCloseTo(expected('loss/fake'), 5);
      expect(value('outputReal')).toBeCloseTo(expected('output/real'), 5);
    } else {
      expect(value('lossFake')).toBeCloseTo(expected('loss'), 5);
    }
    expect(value('outputFake')).toBeCloseTo(expected('output/fake'), 5);
  });
});

it.each(['cpu', ...withTensorflow('tensorflow'), 'wasm'] as const)('%s leaves no tensor behind', async (backend) => {
  const engine = await createEngine(backend);
  const replica = await Replica.start(engine, { ...setup, backend });
  const before = engine.tensorCount();
  for (let step = 0; step < 3; step++) {
    for (const pass of ['real', 'fake', 'generator'] as const) {
      await replica.compute({ step, pass, shard: 0, slot: 0, pixels: [goldenPixels(step, BATCH)] });
    }
  }
  expect(engine.tensorCount()).toBe(before);
  replica.dispose();
});
