// The engine `cuda` in the emulation, beside the CPU's: vectors of several shards at a time to the bit, in every order, and what is out of range.
import { beforeAll, describe, expect, it } from 'vitest';
import { layoutOf, type Pass } from '../../../../../shared/model/layout.ts';
import { phaseVectorOf } from '../../../../../shared/model/phase-vector.ts';
import { dcgan28, imageSizeOf } from '../../../../../shared/model/spec.ts';
import { viewsOf } from '../../../../../shared/pixels.ts';
import { fillNormal } from '../../../../../shared/random.ts';
import { CudaEngine } from '../../../../../workers/engines/cuda/cuda-engine.ts';
import { cudaRunner } from '../../../../../workers/engines/cuda/cuda-runner.ts';
import { cudaDevice } from '../../../../../workers/engines/cuda/cuda-update.ts';
import type { Engine, ShardInput } from '../../../../../workers/engines/engine.ts';
import { runnerOf } from '../../../../../workers/engines/kernels/runner-of.ts';
import { ProgramEngine } from '../../../../../workers/engines/program-engine.ts';
import { hasKernels, loadedBinding } from '../kernels/loaded.ts';
import { useEmulation } from './emulation.ts';

const SPEC = dcgan28(16);
const [SHARD_SIZE, SHARDS] = [3, 4];
const SETUP = { spec: SPEC, shardSize: SHARD_SIZE, seed: 7, shards: SHARDS, realLabel: Math.fround(0.9), limit: 256 };

const parametersOf = (net: 'generator' | 'discriminator', part = 0, factor = 0.1): Float32Array =>
  fillNormal({ seed: 5, stream: 'samples', time: 1, part }, new Float32Array(layoutOf(net, SPEC).parameterCount)).map(
    (value) => value * factor,
  );

const pixelsOf = (shard: number): Uint8Array[] =>
  Array.from({ length: SHARD_SIZE }, (_, image) =>
    Uint8Array.from({ length: imageSizeOf(SPEC) }, (_, i) => (i * 7 + image * 31 + shard * 97) % 256),
  );

function inputs(pass: Pass, shards: readonly number[]): (ShardInput & { into: Float32Array })[] {
  const { length } = phaseVectorOf(pass === 'generator' ? 'generator' : 'discriminator', SPEC);
  return shards.map((shard) => ({
    shard,
    into: new Float32Array(length),
    ...(pass === 'real' ? { pixels: pixelsOf(shard) } : {}),
  }));
}

/** The vectors of shards, in hex. */
async function vectors(engine: Engine, pass: Pass, step: number, shards: readonly number[]): Promise<string[]> {
  const given = inputs(pass, shards);
  const results = await engine.computePass(pass, step, given);
  expect(results.map(({ ok }) => ok)).toEqual(shards.map(() => true));
  return given.map(({ into }) => Buffer.from(into.buffer).toString('hex'));
}

describe.skipIf(!hasKernels)('the engine cuda in the emulation', () => {
  useEmulation();
  let cuda: CudaEngine;
  let cpu: ProgramEngine;

  beforeAll(async () => {
    cuda = new CudaEngine(cudaRunner(0));
    cpu = new ProgramEngine({ ...runnerOf(loadedBinding()), libraryVersion: '0' });
    for (const engine of [cuda, cpu]) {
      await engine.prepare(SETUP);
      engine.setParameters('generator', 0, parametersOf('generator'));
      engine.setParameters('discriminator', 0, parametersOf('discriminator', 1));
    }
    return () => {
      cuda.dispose();
      cpu.dispose();
    };
  }, 240_000);

  it.each(['real', 'fake', 'generator'] as const)('pass %s: all shards, some, and in another order', async (pass) => {
    for (const [step, shards] of [[0, 1, 2, 3], [2], [3, 1], [3, 2, 1, 0]].entries()) {
      expect(await vectors(cuda, pass, step, shards)).toEqual(await vectors(cpu, pass, step, shards));
    }
  });

  it('a generator pass has the same bits after its fake pass, in part or whole', async () => {
    for (const [step, [fake, generator]] of [
      [
        [0, 1],
        [1, 0],
      ],
      [
        [0, 1],
        [0, 2],
      ],
      [[0, 1, 2], [2]],
    ].entries()) {
      expect(await vectors(cuda, 'fake', step, fake ?? [])).toEqual(await vectors(cpu, 'fake', step, fake ?? []));
      for (const engine of [cuda, cpu])
        engine.setParameters('discriminator', step + 10, parametersOf('discriminator', step));
      expect(await vectors(cuda, 'generator', step, generator ?? [])).toEqual(
        await vectors(cpu, 'generator', step, generator ?? []),
      );
    }
  });

  it('other parameters of the generator are taken, also after a fake pass', async () => {
    await vectors(cuda, 'fake', 5, [0]);
    for (const engine of [cuda, cpu]) engine.setParameters('generator', 1, parametersOf('generator', 9));
    expect(await vectors(cuda, 'generator', 5, [0])).toEqual(await vectors(cpu, 'generator', 5, [0]));
  });

  it.each(['', '1'])('passes that are begun together end as if computed one by one, done late: "%s"', async (late) => {
    process.env.GANGLION_CUDA_LATE = late;
    for (const engine of [cuda, cpu]) {
      engine.setParameters('generator', undefined, parametersOf('generator', 11 + late.length));
      engine.setParameters('discriminator', undefined, parametersOf('discriminator', 13 + late.length));
    }
    const given = { real: inputs('real', [0, 3]), fake: inputs('fake', [1]), more: inputs('fake', [0, 2]) };
    const pending = [
      cuda.beginPass('real', 3, given.real),
      cuda.beginPass('fake', 3, given.fake),
      cuda.beginPass('fake', 3, given.more),
    ];
    for (const one of pending) await one.finish();
    const got = [...given.real, ...given.fake, ...given.more].map(({ into }) =>
      Buffer.from(into.buffer).toString('hex'),
    );
    const expected = [await vectors(cpu, 'real', 3, [0, 3]), await vectors(cpu, 'fake', 3, [1, 0, 2])].flat();
    expect(got).toEqual(expected);
    delete process.env.GANGLION_CUDA_LATE;
  });

  it('a pass never overtakes one that waits for the memory of the one before', async () => {
    for (const engine of [cuda, cpu]) {
      engine.setParameters('generator', undefined, parametersOf('generator', 21));
      engine.setParameters('discriminator', undefined, parametersOf('discriminator', 22));
    }
    const [first, waiting, late] = [inputs('fake', [1]), inputs('fake', [0, 2]), inputs('fake', [3])];
    const begun = [cuda.beginPass('fake', 3, first), cuda.beginPass('fake', 3, waiting)];
    await begun[0]?.finish();
    const last = cuda.beginPass('fake', 3, late);
    await begun[1]?.finish();
    await last.finish();
    const got = [...first, ...waiting, ...late].map(({ into }) => Buffer.from(into.buffer).toString('hex'));
    const isSame = (await vectors(cpu, 'fake', 3, [1, 0, 2, 3])).map((expected, i) => expected === got[i]);
    expect(isSame).toEqual([true, true, true, true]);
  });

  it('takes images that lie on the device by their numbers, the last one, too, with the bits of their pixels', async () => {
    const runner = cudaRunner(0);
    const device = cudaDevice(runner);
    const count = 7 * SHARDS * SHARD_SIZE;
    const size = imageSizeOf(SPEC);
    const all = Uint8Array.from({ length: count * size }, (_, i) => (i * 13 + Math.floor(i / size) * 101) % 256);
    const imagesAt = device.hold(all);
    if (imagesAt === undefined) throw new Error('the images have not been taken');
    const engine = new CudaEngine(runner);
    const before = runner.binding.copied().toDevice;
    await engine.prepare({ ...SETUP, imagesAt });
    for (const one of [engine, cpu]) one.setParameters('discriminator', 50, parametersOf('discriminator', 1));
    const parameters = runner.binding.copied().toDevice - before;
    for (const [step, shards] of [[0, 1, 2, 3], [2], [3, 1]].entries()) {
      const [given, expected] = [inputs('real', shards), inputs('real', shards)];
      const numbers = shards.map((shard) =>
        Uint32Array.from({ length: SHARD_SIZE }, (_, i) => (count - 1 - shard * 5 - i * 3 - step) % count),
      );
      await engine.computePass(
        'real',
        step,
        given.map(({ shard, into }, i) => ({ shard, into, images: numbers[i] ?? new Uint32Array() })),
      );
      const toPixels = (i: number) => viewsOf(all, numbers[i] ?? new Uint32Array(), size);
      await cpu.computePass(
        'real',
        step,
        expected.map(({ shard, into }, i) => ({ shard, into, pixels: toPixels(i) })),
      );
      expect(given.map(({ into }) => into)).toEqual(expected.map(({ into }) => into));
    }
    const passes = runner.binding.copied().toDevice - before - parameters;
    expect(passes).toBeLessThan(3 * (SHARDS * SHARD_SIZE * 4 + 200));
    engine.dispose();
  });

  it('leaves images on the host that would take over a quarter of the memory that is free', () => {
    const device = cudaDevice(cudaRunner(0));
    process.env.GANGLION_CUDA_FREE = '4000';
    try {
      expect([device.hold(new Uint8Array(1001)), device.hold(new Uint8Array(1000))]).toEqual([
        undefined,
        expect.any(Number),
      ]);
    } finally {
      delete process.env.GANGLION_CUDA_FREE;
    }
  });

  it('names the first value that is out of range, as the CPU does', async () => {
    for (const [version, factor] of [Number.NaN, 1e20, 3].entries()) {
      for (const engine of [cuda, cpu])
        engine.setParameters('discriminator', 100 + version, parametersOf('discriminator', 2, factor));
      for (const pass of ['real', 'fake', 'generator'] as const) {
        const [got, expected] = [cuda, cpu].map((engine) => engine.computePass(pass, 9, inputs(pass, [2, 0])));
        const bad = (await expected)?.map((result) => (result.ok ? 'ok' : result.outOfRange));
        expect((await got)?.map((result) => (result.ok ? 'ok' : result.outOfRange))).toEqual(bad);
      }
    }
  });

  it('draws the samples that the CPU draws', async () => {
    const statistics = new Float32Array(layoutOf('generator', SPEC).statisticsCount).fill(1);
    for (const of of ['batch', statistics] as const) {
      const [got, expected] = [cuda, cpu].map((engine) => engine.sample({ seed: 1, count: 3, statistics: of }));
      expect(await got).toEqual(await expected);
    }
  });
});
