// shared/model: the gradients of every pass against finite differences of their losses, in native code.
import { describe, expect, it } from 'vitest';
import { initialise } from '../../../../shared/model/initialise.ts';
import { layoutOf, type Pass, phaseOf } from '../../../../shared/model/layout.ts';
import { meanCrossEntropy } from '../../../../shared/model/losses.ts';
import { PASS_PROGRAMS } from '../../../../shared/model/phases.ts';
import { dcgan28 } from '../../../../shared/model/spec.ts';
import { fillNormal } from '../../../../shared/random.ts';
import { loadRunner } from '../../../../workers/engines/engines.ts';
import { withTensorflow } from './tensorflow/ready.ts';

const BATCH = 4;
const LATENT = 3;
/** Small against the curvature of the loss, large against the rounding of float32 logits. */
const STEP = 2 ** -8;

const normal = (length: number, time: number) =>
  fillNormal({ seed: 2, stream: 'samples', time, part: 0 }, new Float32Array(length));

function inputsOf(): Record<string, Float32Array> {
  const inputs: Record<string, Float32Array> = {};
  for (const net of ['generator', 'discriminator'] as const) {
    const { parameters, parameterCount } = layoutOf(net, dcgan28(LATENT));
    const values = new Float32Array(parameterCount);
    initialise(net, dcgan28(LATENT), 4, values);
    for (const { name, offset, size } of parameters) {
      // Weights ten times the initial ones: a loss that bends, with gradients far above its rounding.
      const scale = name.endsWith('.weight') && size > 128 ? 5 : 1;
      inputs[`${net}/${name}`] = values.slice(offset, offset + size).map((value) => value * scale);
    }
  }
  inputs.images = normal(BATCH * 784, 1).map(Math.tanh);
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
const CASES = ENGINES.flatMap((name) => (['real', 'fake', 'generator'] as const).map((pass) => ({ name, pass })));

describe.each(CASES)('pass $pass on $name', async ({ name: engineName, pass }) => {
  const runner = await loadRunner(engineName);
  const phase = phaseOf(pass);
  const program = PASS_PROGRAMS[pass](BATCH, dcgan28(LATENT));
  const executor = runner.load(program);
  const inputs = inputsOf();
  const gradients = await executor.run(inputs);
  const trained = layoutOf(phase, dcgan28(LATENT)).parameters.filter((parameter) => parameter.trained);

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
    const slope = ((await lossAt(before + STEP)) - (await lossAt(before - STEP))) / (2 * STEP);
    expect(Math.abs(gradient[i] ?? 0)).toBeGreaterThan(1e-3);
    expect(slope / (gradient[i] ?? Number.NaN)).toBeCloseTo(1, 1); // within 0.05
  });

  it('ends with nothing left', () => {
    executor.dispose();
    expect(runner.tensorCount()).toBe(0);
  });
});

describe.each(ENGINES)('untrained biases on %s', (engineName) => {
  it('do not move the loss: their BatchNorm takes them away', async () => {
    const executor = (await loadRunner(engineName)).load(PASS_PROGRAMS.real(BATCH, dcgan28(LATENT)));
    const inputs = inputsOf();
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
