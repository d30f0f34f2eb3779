// workers/replica/replica.ts with an engine that computes nothing: what goes into a program, and what becomes of its outputs.
import { describe, expect, it } from 'vitest';
import { GanglionError } from '../../../../shared/error.ts';
import { phaseVectorOf } from '../../../../shared/model/phase-vector.ts';
import { dcgan28 } from '../../../../shared/model/spec.ts';
import type { ShardJob } from '../../../../shared/protocol.ts';
import { fillNormal } from '../../../../shared/random.ts';
import { toReplicaError } from '../../../../workers/replica/replica.ts';
import { LATENT, REPLICA, SHARD_SIZE, started } from './fake-engine.ts';

const PIXELS = Uint8Array.from({ length: SHARD_SIZE * 784 }, (_, i) => (i % 2) * 255);
const REAL: ShardJob = { step: 20, pass: 'real', shard: 3, pixels: [PIXELS], slot: 1 };
const FAKE: ShardJob = { step: 20, pass: 'fake', shard: 3, slot: 1 };
const G: ShardJob = { step: 20, pass: 'generator', shard: 3, slot: 0 };

/** What `action` throws, which must be a GanglionError. */
async function failure(action: Promise<unknown>): Promise<GanglionError> {
  try {
    await action;
  } catch (error) {
    if (error instanceof GanglionError) return error;
    throw error;
  }
  throw new Error('expected a GanglionError');
}

describe('Replica', () => {
  it('compiles all passes at the start, runs each once, and frees them at the end', async () => {
    const { engine, replica } = await started();
    expect(engine.runs.map(({ program }) => program)).toEqual(['real', 'fake', 'generator']);
    replica.dispose();
    expect([engine.loaded, engine.disposed]).toEqual([3, 3]);
  });

  it('feeds parameters as they are now, pixels in [-1, 1], and the noise of (seed, pass, step, shard)', async () => {
    const { engine, setup, replica } = await started();
    engine.runs.length = 0;
    setup.parameters.discriminator[0] = -7; // as the coordinator does between phases
    await replica.compute(REAL);
    await replica.compute(FAKE);
    await replica.compute(G);
    const [real, fake, g] = engine.runs;
    const noise = (stream: 'discriminatorNoise' | 'generatorNoise') =>
      fillNormal({ seed: 11, stream, time: 20, part: 3 }, new Float32Array(SHARD_SIZE * LATENT));
    expect(real?.inputs.z).toBeUndefined();
    expect(fake?.inputs.z).toEqual(noise('discriminatorNoise'));
    expect(g?.inputs.z).toEqual(noise('generatorNoise'));
    expect([...(real?.inputs.images?.subarray(0, 4) ?? [])]).toEqual([-1, 1, -1, 1]);
    expect(fake?.inputs.images).toBeUndefined();
    expect(g?.inputs.images).toBeUndefined();
    expect(real?.inputs['discriminator/main.0.weight']?.[0]).toBe(-7);
    expect(fake?.inputs['discriminator/main.0.weight']?.[0]).toBe(-7);
    // Views, not copies: TensorFlow borrows the shared memory.
    expect(g?.inputs['generator/main.0.weight']?.buffer).toBe(setup.parameters.generator.buffer);
  });

  it('writes every output of a pass to its place in the slot of the job, and zero elsewhere', async () => {
    const { engine, setup, replica } = await started();
    const { slices, scalars, length } = phaseVectorOf('discriminator', dcgan28(LATENT));
    for (const [i, { output }] of slices.entries())
      engine.outputs[output] = (size) => new Float32Array(size).fill(i + 0.1);
    engine.outputs.logits = (size) => new Float32Array(size); // loss ln 2, probability 1/2
    const isOf = (pass: 'real' | 'fake', output: string) =>
      output.startsWith('gradient/') || output.startsWith('real/') === (pass === 'real');
    for (const [job, pass] of [
      [REAL, 'real'],
      [FAKE, 'fake'],
    ] as const) {
      const [other, slot] = setup.results[pass];
      const { start, precompute, ...seconds } = await replica.compute(job);
      expect(precompute).toBeUndefined();
      const expected = new Float32Array(length);
      for (const [i, { output, offset, size }] of slices.entries())
        if (isOf(pass, output)) expected.fill(i + 0.1, offset, offset + size);
      expected[pass === 'real' ? scalars.lossReal : scalars.lossFake] = Math.LN2;
      expected[pass === 'real' ? scalars.outputReal : scalars.outputFake] = 0.5;
      expect(slot?.findIndex((value, i) => value !== expected[i])).toBe(-1);
      expect(other?.every((value) => value === 0)).toBe(true);
      expect(Object.values(seconds).every((value) => value >= 0 && value < 600)).toBe(true);
      expect(Math.abs(Date.now() / 1000 - start)).toBeLessThan(600); // since 1970
    }
  });

  it("takes the generator's loss against the label 1, and writes no loss on real images", async () => {
    const { engine, setup, replica } = await started();
    engine.outputs.logits = (size) => new Float32Array(size).fill(-200);
    await replica.compute(G);
    const [slot] = setup.results.generator;
    const { scalars } = phaseVectorOf('generator', dcgan28(LATENT));
    const value = (name: keyof typeof scalars) => slot?.[scalars[name]];
    expect([value('lossFake'), value('outputFake'), value('lossReal'), value('outputReal')]).toEqual([200, 0, 0, 0]);
  });

  it('needs pixels for a pass over real images', async () => {
    const { pixels: _, ...job } = REAL;
    const { replica } = await started();
    await expect(replica.compute(job)).rejects.toThrow('carries pixels');
  });
});

describe('a value outside the exact sum', () => {
  const place = { replica: REPLICA, step: 20, pass: 'fake', shard: 3 };
  const at = (index: number, value: number) => (size: number) => new Float32Array(size).fill(value, index, index + 1);

  it.each([
    ['gradient/main.5.weight', 17, Number.NaN, 'gradient/main.5.weight[17] is NaN'],
    ['gradient/main.0.bias', 2, Number.POSITIVE_INFINITY, 'gradient/main.0.bias[2] is Infinity'],
    ['fake/main.6.variance', 63, 512, 'fake/main.6.variance[63] is 512'],
    ['logits', 1, Number.NaN, 'lossFake is NaN'],
    ['logits', 0, 4000, `lossFake is ${(4000 + Math.LN2 + Math.LN2) / 3}`], // the mean of 4000, ln 2, ln 2
  ])('%s at %i: %d', async (output, index, value, what) => {
    const { engine, replica } = await started();
    engine.outputs[output] = at(index, value);
    const error = await failure(replica.compute(FAKE));
    // Two passes of four shards: each below 2^12 / 8. The replica is not named: another one has to find the same.
    expect(error.message).toBe(`${what}, expected a finite value below 512`);
    expect(error).toMatchObject({ code: 'range', reason: 'range', place });
  });

  it('depends on the number of shards', async () => {
    const computed = async (shards: number) => {
      const { engine, replica } = await started(shards);
      engine.outputs['gradient/main.0.bias'] = at(0, 100);
      return replica.compute(FAKE);
    };
    await computed(20); // 4096 / 40 = 102.4
    expect((await failure(computed(21))).message).toContain('[0] is 100, expected a finite value below 97.5');
  });
});

describe('toReplicaError', () => {
  it('names replica, step, phase and shard, keeps the code and the cause', () => {
    const cause = new Error('out of\nmemory');
    const error = toReplicaError(cause, 6, G);
    expect(error).toMatchObject({ code: 'replica', place: { replica: 6, step: 20, pass: 'generator', shard: 3 } });
    expect(error.message).toBe('replica 6 failed on step 20, generator phase, shard 3: out of memory');
    expect(error.cause).toBe(cause);
    expect(toReplicaError(new GanglionError('shape', 'm'), 6, G)).toMatchObject({ code: 'shape' });
    expect(toReplicaError('text', 6)).toMatchObject({ message: 'replica 6 failed: text', place: { replica: 6 } });
  });

  it('leaves an error alone that names its replica', () => {
    const error = new GanglionError('range', 'm', { place: { replica: 2 } });
    expect(toReplicaError(error, 6, G)).toBe(error);
  });
});
