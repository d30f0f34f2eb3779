// shared/model: the gradients of every pass against finite differences of their losses, in native code, and of another model in JavaScript.
import { describe, expect, it } from 'vitest';
import { initialise } from '../../../../shared/model/initialise.ts';
import { layoutOf, type Pass, phaseOf } from '../../../../shared/model/layout.ts';
import { meanCrossEntropy } from '../../../../shared/model/losses.ts';
import { PASS_PROGRAMS } from '../../../../shared/model/phases.ts';
import { dcgan28, imageSizeOf, type ModelSpec } from '../../../../shared/model/spec.ts';
import { fillNormal } from '../../../../shared/random.ts';
import { loadRunner } from '../../../../workers/engines/engines.ts';
import { rgb32 } from '../../rgb32.ts';
import { withTensorflow } from './tensorflow/ready.ts';

const BATCH = 4;
const LATENT = 3;
/** Small against the curvature of the loss, large against the rounding of float32 logits. */
const STEP = 2 ** -8;
/** The loss of a model with few channels bends more. */
const SMALL_STEP = 2 ** -10;

const normal = (length: number, time: number) =>
  fillNormal({ seed: 2, stream: 'samples', time, part: 0 }, new Float32Array(length));

function inputsOf(spec: ModelSpec): Record<string, Float32Array> {
  const inputs: Record<string, Float32Array> = {};
  for (const net of ['generator', 'discriminator'] as const) {
    const { parameters, parameterCount } = layoutOf(net, spec);
    const values = new Float32Array(parameterCount);
    initialise(net, spec, 4, values);
    for (const { name, offset, size } of parameters) {
      // Weights ten times the initial ones: a loss that bends, with gradients far above its rounding.
      const scale = name.endsWith('.weight') && size > 128 ? 5 : 1;
      inputs[`${net}/${name}`] = values.slice(offset, offset + size).map((value) => value * scale);
    }
  }
  inputs.images = normal(BATCH * imageSizeOf(spec), 1).map(Math.tanh);
  inputs.z = normal(BATCH * LATENT, 2);
  return inputs;
}

/** The loss as workers/replica/replica.ts computes it from the logits. */
const lossOf = (pass: Pass, { logits = new Float32Array() }: Record<string, Float32Array>): number =>
  meanCrossEntropy(logits, pass === 'fake' ? 0 : 1);

/** Index of the largest magnitude. */
function largest(values: Float32Array): number {
  return values.reduce((best, value, i) => (Math.abs(value) > Math.abs(values[best] ?? 0) ? i : best), 0);
}

const ENGINES = ['cpu', ...withTensorflow('tensorflow')] as const;
const DCGAN28 = dcgan28(LATENT);
const MODELS = [
  ...ENGINES.map((name) => ({ name, model: 'dcgan28', spec: DCGAN28, step: STEP })),
  { name: 'js' as const, model: 'rgb32', spec: rgb32(LATENT, 4), step: SMALL_STEP },
];
const CASES = MODELS.flatMap((one) => (['real', 'fake', 'generator'] as const).map((pass) => ({ ...one, pass })));

describe.each(CASES)('pass $pass of $model on $name', async ({ name: engineName, pass, spec, step }) => {
  const runner = await loadRunner(engineName);
  const phase = phaseOf(pass);
  const program = PASS_PROGRAMS[pass](BATCH, spec);
  const executor = runner.load(program);
  const inputs = inputsOf(spec);
  const gradients = await executor.run(inputs);
  const trained = layoutOf(phase, spec).parameters.filter((parameter) => parameter.trained);

  it.each(trained.map(({ name }) => name))('the largest gradient of %s is the slope of the loss', async (name) => {
    const gradient = gradients[`gradient/${name}`] ?? new Float32Array();
    const i = largest(gradient);
    const values = inputs[`${phase}/${name}`] ?? new Float32Array();
    const before = values[i] ?? Number.NaN;
    const lossAt = async (value: number): Promise<number> => {
      const moved = values.slice();
      moved[i] = value;
      return lossOf(pass, await executor.run({ ...inputs, [`${phase}/${name}`]: moved }));
    };
    const slope = ((await lossAt(before + step)) - (await lossAt(before - step))) / (2 * step);
    expect(Math.abs(gradient[i] ?? 0)).toBeGreaterThan(1e-3);
    expect(slope / (gradient[i] ?? Number.NaN)).toBeCloseTo(1, 1); // within 0.05
  });

  it('ends with nothing left', async () => {
    executor.dispose();
    // TensorFlow.js counts tensors of all three programs together, so what others hold stays.
    const before = runner.tensorCount();
    if (engineName !== 'js') expect(before).toBe(0);
    const another = runner.load(program);
    await another.run(inputs);
    another.dispose();
    expect(runner.tensorCount()).toBe(before);
  });
});

describe.each(ENGINES)('untrained biases on %s', (engineName) => {
  it('do not move the loss: their BatchNorm takes them away', async () => {
    const executor = (await loadRunner(engineName)).load(PASS_PROGRAMS.real(BATCH, DCGAN28));
    const inputs = inputsOf(DCGAN28);
    const loss = lossOf('real', await executor.run(inputs));
    for (const name of ['discriminator/main.2.bias', 'discriminator/main.5.bias']) {
      const moved = inputs[name]?.map((value) => value + 3) ?? new Float32Array();
      const outputs = await executor.run({ ...inputs, [name]: moved });
      expect(lossOf('real', outputs)).toBeCloseTo(loss, 5);
      // The reported means carry them.
      const layer = name.includes('main.2') ? 'main.3' : 'main.6';
      const [mean = Number.NaN] = outputs[`real/${layer}.mean`] ?? [];
      const [before = Number.NaN] = (await executor.run(inputs))[`real/${layer}.mean`] ?? [];
      expect(mean - before).toBeCloseTo(3, 4);
    }
    executor.dispose();
  });
});
