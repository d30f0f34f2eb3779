// The three passes and both ways to draw samples by the kernels: every output against TensorFlow's, or tfjs's where that is not set up, and the instruction sets of
// this processor against each other, bit by bit.
import { beforeAll, describe, expect, it } from 'vitest';
import { PASS_PROGRAMS, samplingProgram } from '../../../../../shared/model/phases.ts';
import type { Program } from '../../../../../shared/model/program.ts';
import { dcgan28, type ModelSpec } from '../../../../../shared/model/spec.ts';
import { loadRunner } from '../../../../../workers/engines/engines.ts';
import { passInputs } from '../pass-inputs.ts';
import { relativeError } from '../run-graph.ts';
import { hasTensorflow } from '../tensorflow/ready.ts';
import { hasKernels, ISAS, kernelsRunner, SameBits, useIsa } from './loaded.ts';

const REFERENCE = hasTensorflow ? 'tensorflow' : 'js';

/** Of the largest value of an output. */
const CLOSE = 1e-5;

const PROGRAMS: Readonly<Record<string, (batch: number, spec: ModelSpec) => Program>> = {
  ...PASS_PROGRAMS,
  'samples on running statistics': (batch, spec) => samplingProgram(batch, spec, 'running'),
  'samples on those of the batch': (batch, spec) => samplingProgram(batch, spec, 'batch'),
};

/**
 * Images, length of the noise, seed. Of 40 to 200 seeds these keep all activations far from 0, where rounding decides their sign and so
 * a hundredth of a gradient: for 32 images by 1e-6 of the largest. And the gradient of D's first bias does not cancel: it magnifies
 * the last bits of its 8,192 summands.
 */
const SIZES = [
  { batch: 1, latent: 7, seed: 23 },
  { batch: 2, latent: 100, seed: 11 },
  { batch: 17, latent: 16, seed: 32 },
  { batch: 32, latent: 100, seed: 38 },
];
const CASES = Object.keys(PROGRAMS).flatMap((name) => SIZES.map((size) => ({ name, ...size })));

type Values = Record<string, Float32Array>;

function inputsOf({ inputs }: Program, { batch, latent, seed }: (typeof SIZES)[number]): Values {
  const values = passInputs(batch, latent, seed);
  for (const [name, { shape }] of Object.entries(inputs)) {
    if (!name.startsWith('running/')) continue;
    const isVariance = name.endsWith('variance');
    values[name] = new Float32Array(shape[0] ?? 0).map((_, i) => (isVariance ? 0.1 + (i % 7) / 5 : Math.sin(i) / 10));
  }
  return values;
}

describe.skipIf(!hasKernels)('the kernels', () => {
  const sameBits = new SameBits();
  const expected = new Map<string, Values>();

  beforeAll(async () => {
    const reference = await loadRunner(REFERENCE);
    for (const { name, ...size } of CASES) {
      const program = PROGRAMS[name]?.(size.batch, dcgan28(size.latent));
      if (!program) continue;
      const executor = reference.load(program);
      expected.set(JSON.stringify([name, size]), await executor.run(inputsOf(program, size)));
      executor.dispose();
    }
  });

  describe.each(ISAS)('%s', (isa) => {
    beforeAll(() => useIsa(isa));

    it.each(CASES)('$name, $batch images of $latent numbers: what the reference gives', async ({ name, ...size }) => {
      const program = PROGRAMS[name]?.(size.batch, dcgan28(size.latent)) as Program;
      const inputs = inputsOf(program, size);
      const executor = kernelsRunner().load(program);
      const got = await executor.run(inputs);
      const key = JSON.stringify([name, size]);
      const values = expected.get(key) ?? {};
      expect(Object.keys(got)).toEqual(Object.keys(values));
      for (const [output, value] of Object.entries(values)) {
        expect(relativeError(got[output] ?? [], value), output).toBeLessThan(CLOSE);
      }
      sameBits.expect(key, got);
      const again = await executor.run(inputs, await executor.precompute?.(inputs));
      executor.dispose();
      sameBits.expect(key, again);
    });
  });
});
