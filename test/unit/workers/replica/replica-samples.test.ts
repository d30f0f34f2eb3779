// workers/replica/replica.ts: drawing samples.
import { describe, expect, it } from 'vitest';
import { fillNormal } from '../../../../shared/random.ts';
import { createEngine } from '../../../../workers/engines/engines.ts';
import { Replica } from '../../../../workers/replica/replica.ts';
import { withTensorflow } from '../engines/tensorflow/ready.ts';
import { LATENT, setupOf, started } from './fake-engine.ts';

/** Running statistics of the generator: value i at position i. */
const STATISTICS = Float32Array.from({ length: 448 }, (_, i) => i);

/** Noise of image i. */
function noise(seed: number, image: number): Float32Array {
  return fillNormal({ seed, stream: 'samples', time: 0, part: image }, new Float32Array(LATENT));
}

describe('sample on running statistics', () => {
  it('draws 64 images at a time, image i from noise i, and gives as many as asked for', async () => {
    const { engine, replica } = await started();
    engine.runs.length = 0;
    let call = 0;
    engine.outputs.images = (size) => new Float32Array(size).fill(++call);
    const images = await replica.sample({ seed: 5, count: 70, statistics: STATISTICS });
    expect(images.length).toBe(70 * 784);
    expect([images[0], images[64 * 784 - 1], images[64 * 784], images[70 * 784 - 1]]).toEqual([1, 1, 2, 2]);
    expect(engine.runs.map(({ program }) => program)).toEqual(['samples', 'samples']);
    const z = (run: number, row: number) => engine.runs[run]?.inputs.z?.subarray(row * LATENT, (row + 1) * LATENT);
    expect(z(0, 0)).toEqual(noise(5, 0));
    expect(z(0, 63)).toEqual(noise(5, 63));
    expect(z(1, 0)).toEqual(noise(5, 64));
    expect(z(1, 5)).toEqual(noise(5, 69));
  });

  it('feeds mean and variance of every layer', async () => {
    const { engine, replica } = await started();
    await replica.sample({ seed: 5, count: 1, statistics: STATISTICS });
    const inputs = engine.runs.at(-1)?.inputs;
    // Layout: main.1 mean 0..127, variance 128..255; main.4 256..319, 320..383; main.7 384..415, 416..447.
    const firsts = Object.entries(inputs ?? {})
      .filter(([name]) => name.startsWith('running/'))
      .map(([name, values]) => [name, values[0], values.length]);
    expect(firsts).toEqual([
      ['running/main.1.mean', 0, 128],
      ['running/main.1.variance', 128, 128],
      ['running/main.4.mean', 256, 64],
      ['running/main.4.variance', 320, 64],
      ['running/main.7.mean', 384, 32],
      ['running/main.7.variance', 416, 32],
    ]);
  });

  it('compiles its program once, and frees it with the replica', async () => {
    const { engine, replica } = await started();
    await replica.sample({ seed: 5, count: 1, statistics: STATISTICS });
    await replica.sample({ seed: 6, count: 1, statistics: STATISTICS });
    expect([engine.loaded, engine.disposed]).toEqual([4, 0]);
    replica.dispose();
    expect([engine.loaded, engine.disposed]).toEqual([4, 4]);
  });
});

describe('sample on the statistics of the batch', () => {
  it('draws all images at once, without running statistics', async () => {
    const { engine, replica } = await started();
    engine.runs.length = 0;
    await replica.sample({ seed: 5, count: 70, statistics: 'batch' });
    expect(engine.runs.length).toBe(1);
    const inputs: Record<string, Float32Array> = engine.runs[0]?.inputs ?? {};
    expect(inputs.z?.length).toBe(70 * LATENT);
    expect(inputs.z?.subarray(69 * LATENT)).toEqual(noise(5, 69));
    expect(Object.keys(inputs).filter((name) => name.startsWith('running/'))).toEqual([]);
  });

  it('frees its program, also where it fails', async () => {
    const { engine, replica } = await started();
    await replica.sample({ seed: 5, count: 2, statistics: 'batch' });
    expect([engine.loaded, engine.disposed]).toEqual([4, 1]);
    engine.outputs.images = () => {
      throw new Error('out of memory');
    };
    await expect(replica.sample({ seed: 5, count: 2, statistics: 'batch' })).rejects.toThrow('out of memory');
    expect([engine.loaded, engine.disposed]).toEqual([5, 2]);
  });
});

describe.each(['cpu', ...withTensorflow('tensorflow')] as const)('sample on %s', async (name) => {
  const engine = await createEngine(name);
  const setup = setupOf();
  for (const values of Object.values(setup.parameters)) values.set(values.map((_, i) => Math.sin(i) / 10));
  const replica = await Replica.start(engine, setup);
  const statistics = new Float32Array(448).fill(1);

  it('image i depends on (seed, i) only, and lies in [-1, 1]', async () => {
    const few = await replica.sample({ seed: 5, count: 3, statistics });
    const many = await replica.sample({ seed: 5, count: 66, statistics });
    expect(many.subarray(0, 3 * 784)).toEqual(few);
    expect(many.subarray(65 * 784)).not.toEqual(many.subarray(784, 2 * 784));
    expect(await replica.sample({ seed: 6, count: 3, statistics })).not.toEqual(few);
    expect(many.every((value) => Math.abs(value) <= 1)).toBe(true);
    expect(new Set(few).size).toBeGreaterThan(100);
  });

  it('leaves no tensor behind', async () => {
    const before = engine.tensorCount();
    await replica.sample({ seed: 5, count: 1, statistics });
    await replica.sample({ seed: 5, count: 2, statistics: 'batch' });
    expect(engine.tensorCount()).toBe(before);
  });
});
