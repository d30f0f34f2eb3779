// workers/engines/program-engine.ts with a runner that computes nothing: several shards a call. What goes into a program, and what becomes
// of its outputs: test/unit/workers/replica/replica.test.ts, which goes through it.
import { describe, expect, it } from 'vitest';
import { layoutOf } from '../../../../shared/model/layout.ts';
import { phaseVectorOf } from '../../../../shared/model/phase-vector.ts';
import { dcgan28 } from '../../../../shared/model/spec.ts';
import { createEngine } from '../../../../workers/engines/engines.ts';
import { ProgramEngine } from '../../../../workers/engines/program-engine.ts';
import { FakeRunner, LATENT, SHARD_SIZE } from '../replica/fake-engine.ts';
import { hasKernels } from './kernels/loaded.ts';

const SPEC = dcgan28(LATENT);
const SETUP = { spec: SPEC, shardSize: SHARD_SIZE, seed: 11, shards: 4, limit: 512 };
const vector = () => new Float32Array(phaseVectorOf('discriminator', SPEC).length);
const shards = (...numbers: number[]) => numbers.map((shard) => ({ shard, into: vector() }));

async function prepared() {
  const runner = new FakeRunner();
  const engine = new ProgramEngine(runner);
  await engine.prepare(SETUP);
  for (const net of ['generator', 'discriminator'] as const) {
    engine.setParameters(net, 0, new Float32Array(layoutOf(net, SPEC).parameterCount));
  }
  runner.runs.length = 0;
  return { runner, engine };
}

describe('computePass', () => {
  it('computes several shards in one call, each with its noise, in their order', async () => {
    const { runner, engine } = await prepared();
    const inputs = shards(3, 0);
    const results = await engine.computePass('fake', 5, inputs);
    expect(results.map(({ ok }) => ok)).toEqual(inputs.map(() => true));
    const [first, second] = runner.runs.map((run) => run.inputs.z);
    expect(first).not.toEqual(second);
    const [alone] = await engine.computePass('fake', 5, shards(0));
    expect(alone).toMatchObject({ ok: true });
    expect(runner.runs[2]?.inputs.z).toEqual(second);
  });

  it('gives a result of every shard, also where one of them is out of range', async () => {
    const { runner, engine } = await prepared();
    let call = 0;
    runner.outputs['gradient/main.0.bias'] = (size) => new Float32Array(size).fill(++call === 2 ? 600 : 1);
    const [first, second, third] = await engine.computePass('fake', 5, shards(0, 1, 2));
    expect([first?.ok, third?.ok]).toEqual([true, true]);
    expect(second).toEqual({ ok: false, outOfRange: { name: 'gradient/main.0.bias[0]', value: 600 } });
  });

  it('reads parameters at every run, and takes another array when it is given one', async () => {
    const { runner, engine } = await prepared();
    const own = new Float32Array(layoutOf('discriminator', SPEC).parameterCount);
    engine.setParameters('discriminator', 1, own);
    own[0] = 4;
    await engine.computePass('fake', 5, shards(0));
    engine.setParameters('discriminator', 1, own.slice().fill(9));
    await engine.computePass('fake', 5, shards(0));
    expect(runner.runs.map(({ inputs }) => inputs['discriminator/main.0.weight']?.[0])).toEqual([4, 9]);
  });
});

it('refuses to compute before it is prepared', async () => {
  const engine = new ProgramEngine(new FakeRunner());
  await expect(engine.computePass('fake', 0, shards(0))).rejects.toThrow('the engine has not been prepared');
  expect(() => engine.dispose()).not.toThrow();
});

describe.skipIf(!hasKernels)('the kernels', () => {
  it.each([
    [1, 1],
    [3, 5],
    [7, 13],
    [10, 100],
    [33, 64],
  ])(
    'have every pass and both ways to draw for shards of %i images and %i numbers of noise',
    async (shardSize, latent) => {
      const engine = await createEngine('cpu');
      const spec = dcgan28(latent);
      await engine.prepare({ ...SETUP, shardSize, spec }); // runs every pass
      engine.setParameters('generator', 0, new Float32Array(layoutOf('generator', spec).parameterCount));
      const statistics = new Float32Array(layoutOf('generator', spec).statisticsCount).fill(1);
      for (const of of ['batch', statistics] as const) {
        const images = await engine.sample({ seed: 1, count: 3, statistics: of });
        expect(images.every(Number.isFinite)).toBe(true);
      }
      engine.dispose();
    },
  );
});
