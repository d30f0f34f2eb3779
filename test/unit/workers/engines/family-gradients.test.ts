// Members of the DCGAN family against PyTorch's own gradients and losses (test/golden/make_family_golden.py).
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { addRounded } from '../../../../shared/exact-sum.ts';
import { initialise } from '../../../../shared/model/initialise.ts';
import { layoutOf, type Net, PASSES, type Pass, phaseOf } from '../../../../shared/model/layout.ts';
import { phaseVectorOf } from '../../../../shared/model/phase-vector.ts';
import { dcgan, imageSizeOf, type ModelChoice } from '../../../../shared/model/spec.ts';
import { toTorchLayout } from '../../../../shared/model/torch-layout.ts';
import { randomWords } from '../../../../shared/random.ts';
import { decodeSafetensors, toFloat32 } from '../../../../shared/safetensors.ts';
import { createEngine } from '../../../../workers/engines/engines.ts';
import { Replica } from '../../../../workers/replica/replica.ts';

const PATH = new URL('../../../golden/family.safetensors', import.meta.url);
const { tensors, metadata } = decodeSafetensors(readFileSync(PATH), 'family.safetensors');
type Member = Omit<ModelChoice, 'latentSize'> & { readonly name: string; readonly step: number };
const GOLDEN: {
  readonly seed: number;
  readonly latent: number;
  readonly batch: number;
  readonly stride: number;
  readonly members: readonly Member[];
} = JSON.parse(metadata.golden ?? '{}');

function golden(name: string): Float32Array {
  const tensor = tensors.get(name);
  if (!tensor) throw new Error(`no golden tensor ${name}`);
  return toFloat32(tensor);
}

const ENGINES = ['js', 'cpu', 'wasm'] as const;
const CASES = GOLDEN.members.flatMap((member) => ENGINES.map((backend) => ({ ...member, backend })));

describe.each(CASES)('$name on $backend against PyTorch', async ({ name: member, step, backend, ...choice }) => {
  const spec = dcgan({ ...choice, latentSize: GOLDEN.latent });
  const parametersOf = (net: Net): Float32Array => {
    const values = new Float32Array(new SharedArrayBuffer(layoutOf(net, spec).parameterCount * 4));
    initialise(net, spec, GOLDEN.seed, values);
    return values;
  };
  const slots = (pass: Pass): [Float32Array, Float32Array] => [
    new Float32Array(phaseVectorOf(phaseOf(pass), spec).length),
    new Float32Array(0),
  ];
  const results = { real: slots('real'), fake: slots('fake'), generator: slots('generator') };
  const parameters = { generator: parametersOf('generator'), discriminator: parametersOf('discriminator') };
  const { batch, seed } = GOLDEN;
  const setup = { replica: 0, backend, shardSize: batch, spec, seed, shards: 1, parameters, results };
  const replica = await Replica.start(await createEngine(backend), setup);
  const words = randomWords({ seed, stream: 'samples', time: step, part: 0 }, batch * imageSizeOf(spec));
  const pixels = [Uint8Array.from(words, (word) => word & 0xff)];
  const sums = { discriminator: new Float64Array(0), generator: new Float64Array(0) };
  for (const phase of ['discriminator', 'generator'] as const) {
    sums[phase] = new Float64Array(phaseVectorOf(phase, spec).length);
    for (const pass of PASSES[phase]) {
      await replica.compute({ step, pass, shard: 0, slot: 0, pixels });
      addRounded(sums[phase], [results[pass][0]], false);
    }
  }
  replica.dispose();

  it.each(['discriminator', 'generator'] as const)('%s phase', (phase) => {
    for (const parameter of layoutOf(phase, spec).parameters.filter(({ trained }) => trained)) {
      const { name, offset, size } = parameter;
      const gradient = toTorchLayout(parameter, Float32Array.from(sums[phase].subarray(offset, offset + size)));
      const expected = golden(`${member}/${phase}/grad/${name}`);
      const got = gradient.filter((_, i) => i % GOLDEN.stride === 0);
      expect(got.length, name).toBe(expected.length);
      const [norm = 0] = golden(`${member}/${phase}/norm/${name}`);
      // Of a value's usual size: few values of a large tensor are stored.
      const scale = norm / Math.sqrt(size);
      for (const [i, value] of expected.entries())
        expect(Math.abs((got[i] ?? Number.NaN) - value) / scale, `${name}[${i}]`).toBeLessThan(1e-3);
      expect(Math.sqrt(gradient.reduce((sum, value) => sum + value * value, 0)) / norm, name).toBeCloseTo(1, 4);
    }
    const { lossReal, lossFake } = phaseVectorOf(phase, spec).scalars;
    const loss = (sums[phase][lossReal] ?? Number.NaN) + (sums[phase][lossFake] ?? Number.NaN);
    expect(loss).toBeCloseTo(golden(`${member}/${phase}/loss`)[0] ?? Number.NaN, 4);
  });
});
