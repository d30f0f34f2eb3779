// workers/replica.ts with an engine that computes nothing: what goes into a program, and what becomes of its outputs.
import { describe, expect, it } from 'vitest';
import { GanglionError } from '../../../shared/error.ts';
import { phaseVectorOf } from '../../../shared/phase-vector.ts';
import type { ShardJob } from '../../../shared/protocol.ts';
import { fillNormal } from '../../../shared/random.ts';
import { toReplicaError } from '../../../workers/replica.ts';
import { LATENT, REPLICA, SHARD_SIZE, started } from './fake-engine.ts';

const PIXELS = Uint8Array.from({ length: SHARD_SIZE * 784 }, (_, i) => (i % 2) * 255);
const D: ShardJob = { step: 20, phase: 'discriminator', shard: 3, pixels: PIXELS, slot: 1 };
const G: ShardJob = { step: 20, phase: 'generator', shard: 3, slot: 0 };

/** What `action` throws, which must be a GanglionError. */
function failure(action: () => unknown): GanglionError {
  try {
    action();
  } catch (error) {
    if (error instanceof GanglionError) return error;
    throw error;
  }
  throw new Error('expected a GanglionError');
}

describe('Replica', () => {
  it('compiles both phases at the start, runs each once, and frees them at the end', () => {
    const { engine, replica } = started();
    expect(engine.runs.map(({ program }) => program)).toEqual(['discriminator', 'generator']);
    replica.dispose();
    expect([engine.loaded, engine.disposed]).toEqual([2, 2]);
  });

  it('feeds parameters as they are now, pixels in [-1, 1], and the noise of (seed, phase, step, shard)', () => {
    const { engine, setup, replica } = started();
    engine.runs.length = 0;
    setup.parameters.discriminator[0] = -7; // as the coordinator does between phases
    replica.compute(D);
    replica.compute(G);
    const [d, g] = engine.runs;
    const noise = (stream: 'discriminatorNoise' | 'generatorNoise') =>
      fillNormal({ seed: 11, stream, time: 20, part: 3 }, new Float32Array(SHARD_SIZE * LATENT));
    expect(d?.inputs.z).toEqual(noise('discriminatorNoise'));
    expect(g?.inputs.z).toEqual(noise('generatorNoise'));
    expect([...(d?.inputs.images?.subarray(0, 4) ?? [])]).toEqual([-1, 1, -1, 1]);
    expect(g?.inputs.images).toBeUndefined();
    expect(d?.inputs['discriminator/main.0.weight']?.[0]).toBe(-7);
    // Views, not copies: TensorFlow borrows the shared memory.
    expect(g?.inputs['generator/main.0.weight']?.buffer).toBe(setup.parameters.generator.buffer);
  });

  it('writes every output to its place in the slot of the job, on the exact grid', () => {
    const { engine, setup, replica } = started();
    const { slices, scalars, length } = phaseVectorOf('discriminator', LATENT);
    for (const [i, { output }] of slices.entries())
      engine.outputs[output] = (size) => new Float32Array(size).fill(i + 0.1);
    engine.outputs['logits/real'] = (size) => new Float32Array(size); // loss ln 2, probability 1/2
    engine.outputs['logits/fake'] = (size) => new Float32Array(size).fill(-100); // loss e^-100, rounded to 0
    const [other, slot] = setup.results.discriminator;
    const seconds = replica.compute(D);
    const expected = new Float64Array(length);
    const toGrid = (value: number) => Math.round(value * 2 ** 40) / 2 ** 40;
    for (const [i, { offset, size }] of slices.entries())
      expected.fill(toGrid(Math.fround(i + 0.1)), offset, offset + size);
    expected[scalars.lossReal] = toGrid(Math.LN2);
    expected[scalars.outputReal] = 0.5;
    expect(slot.findIndex((value, i) => value !== expected[i])).toBe(-1);
    expect(other.every((value) => value === 0)).toBe(true);
    expect(Object.values(seconds).every((value) => value >= 0 && value < 10)).toBe(true);
  });

  it("takes the generator's loss against the label 1, and writes no loss on real images", () => {
    const { engine, setup, replica } = started();
    engine.outputs['logits/fake'] = (size) => new Float32Array(size).fill(-100);
    replica.compute(G);
    const [slot] = setup.results.generator;
    const { scalars } = phaseVectorOf('generator', LATENT);
    const value = (name: keyof typeof scalars) => slot[scalars[name]];
    expect([value('lossFake'), value('outputFake'), value('lossReal'), value('outputReal')]).toEqual([100, 0, 0, 0]);
  });

  it('needs pixels in the discriminator phase', () => {
    const { pixels: _, ...job } = D;
    expect(() => started().replica.compute(job)).toThrow('carries pixels');
  });
});

describe('a value outside the exact sum', () => {
  const place = { replica: REPLICA, step: 20, phase: 'discriminator', shard: 3 };
  const at = (index: number, value: number) => (size: number) => new Float32Array(size).fill(value, index, index + 1);

  it.each([
    ['gradient/main.5.weight', 17, Number.NaN, 'gradient/main.5.weight[17] is NaN'],
    ['gradient/main.0.bias', 2, Number.POSITIVE_INFINITY, 'gradient/main.0.bias[2] is Infinity'],
    ['fake/main.6.variance', 63, 1024, 'fake/main.6.variance[63] is 1024'],
    ['logits/real', 1, Number.NaN, 'lossReal is NaN'],
    ['logits/fake', 0, 4000, `lossFake is ${(4000 + Math.LN2 + Math.LN2) / 3}`], // the mean of 4000, ln 2, ln 2
  ])('%s at %i: %d', (output, index, value, what) => {
    const { engine, replica } = started();
    engine.outputs[output] = at(index, value);
    const error = failure(() => replica.compute(D));
    // Four shards: each below 2^12 / 4.
    expect(error.message).toBe(
      `replica 6 failed on step 20, discriminator phase, shard 3: ${what}, expected a finite value below 1024`,
    );
    expect(error).toMatchObject({ code: 'range', place });
  });

  it('depends on the number of shards', () => {
    const computed = (shards: number) => {
      const { engine, replica } = started(shards);
      engine.outputs['gradient/main.0.bias'] = at(0, 100);
      return replica.compute(D);
    };
    expect(() => computed(40)).not.toThrow(); // 4096 / 40 = 102.4
    expect(failure(() => computed(41)).message).toContain('[0] is 100, expected a finite value below 99.9');
  });
});

describe('toReplicaError', () => {
  it('names replica, step, phase and shard, keeps the code and the cause', () => {
    const cause = new Error('out of\nmemory');
    const error = toReplicaError(cause, 6, G);
    expect(error).toMatchObject({ code: 'replica', place: { replica: 6, step: 20, phase: 'generator', shard: 3 } });
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
