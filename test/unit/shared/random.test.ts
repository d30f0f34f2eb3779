import { createHash } from 'node:crypto';
import { afterEach, describe, expect, it, vi } from 'vitest';
import * as philoxModule from '../../../shared/philox.ts';
import {
  fillNormal,
  fillUniform,
  randomWords,
  type Stream,
  type StreamAddress,
  toKey,
} from '../../../shared/random.ts';
import { GOLDEN, goldenPixels } from '../../golden/golden.ts';

vi.mock('../../../shared/philox.ts', async (importOriginal) => {
  const real = await importOriginal<typeof philoxModule>();
  return { ...real, philox: vi.fn(real.philox) };
});
const real = await vi.importActual<typeof philoxModule>('../../../shared/philox.ts');
const philox = vi.mocked(philoxModule.philox);
afterEach(() => philox.mockReset().mockImplementation(real.philox));

const ADDRESS: StreamAddress = { seed: 7, stream: 'discriminatorNoise', time: 3, part: 9 };
const STREAMS: readonly Stream[] = ['discriminatorNoise', 'generatorNoise', 'sampler', 'initialisation', 'samples'];

describe('toKey', () => {
  it('splits a seed into its low and its high 32 bits', () => {
    expect(toKey(0)).toEqual([0, 0]);
    expect(toKey(2 ** 32 - 1)).toEqual([0xffffffff, 0]);
    expect(toKey(5 * 2 ** 32 + 3)).toEqual([3, 5]);
    expect(toKey(Number.MAX_SAFE_INTEGER)).toEqual([0xffffffff, 0x1fffff]); // 2^53 - 1: 32 and 21 ones
  });
});

describe('randomWords', () => {
  it('takes block i from the counter [i, time, stream, part] and the seed as key', () => {
    const expected = new Uint32Array(12);
    for (let i = 0; i < 3; i++) real.philox([i, 3, 1, 9], [7, 0], expected, 4 * i);
    expect(randomWords(ADDRESS, 12)).toEqual(expected);
    for (const [i, stream] of STREAMS.entries()) {
      real.philox([0, 3, i + 1, 9], [7, 0], expected);
      expect(randomWords({ ...ADDRESS, stream }, 4), stream).toEqual(expected.subarray(0, 4));
    }
  });

  it('gives other words for every coordinate of the address', () => {
    const addresses: StreamAddress[] = [
      ...STREAMS.map((stream) => ({ ...ADDRESS, stream })),
      { ...ADDRESS, seed: 8 },
      { ...ADDRESS, seed: 7 + 2 ** 32 },
      { ...ADDRESS, time: 4 },
      { ...ADDRESS, time: 2 ** 32 - 1 },
      { ...ADDRESS, part: 10 },
      { ...ADDRESS, part: 2 ** 32 - 1 },
      { ...ADDRESS, time: 9, part: 3 },
    ];
    const firstWords = addresses.map((address) => randomWords(address, 4).join());
    expect(new Set(firstWords).size).toBe(addresses.length);
  });

  it('a shorter draw is the beginning of a longer one', () => {
    const longest = randomWords(ADDRESS, 41);
    expect(longest.length).toBe(41);
    for (let count = 0; count <= 41; count++) {
      expect(randomWords(ADDRESS, count)).toEqual(longest.subarray(0, count));
    }
  });
});

describe('fillNormal', () => {
  function normalFrom(...words: number[]): number[] {
    philox.mockImplementation((_, __, out, at = 0) => out.set(words, at));
    return [...fillNormal(ADDRESS, new Float32Array(2))];
  }

  it('is the Box-Muller transform, by hand', () => {
    // First word 2^31 - 1: u1 = 2^31 / 2^32 = 1/2, radius sqrt(2 ln 2) = 1.17741002.
    const radius = Math.fround(1.1774100225154747);
    const half = 2 ** 31 - 1;
    expect(normalFrom(half, 0)).toEqual([radius, 0]); // angle 0
    const [x1 = 1, y1] = normalFrom(half, 2 ** 30); // angle pi / 2
    expect(Math.abs(x1)).toBeLessThan(1e-15);
    expect(y1).toBe(radius);
    // angle pi / 4: both radius * sqrt(1/2) = sqrt(ln 2) = 0.83255461
    expect(normalFrom(half, 2 ** 29)).toEqual([Math.fround(0.8325546111576977), Math.fround(0.8325546111576977)]);
    // angle pi: the cosine turns the sign
    expect(normalFrom(half, 2 ** 31)[0]).toBe(-radius);
  });

  it('is finite for the smallest and the largest word', () => {
    // Word 0: u1 = 2^-32, radius sqrt(64 ln 2) = 6.66043688; word 2^32 - 1: u1 = 1, radius 0.
    expect(normalFrom(0, 0)).toEqual([Math.fround(6.660436880446206), 0]);
    expect(normalFrom(2 ** 32 - 1, 0).map(Math.abs)).toEqual([0, 0]);
  });

  it('a shorter draw is the beginning of a longer one, also of odd length', () => {
    const longest = fillNormal(ADDRESS, new Float32Array(20));
    for (let count = 0; count < 20; count++) {
      expect(fillNormal(ADDRESS, new Float32Array(count))).toEqual(longest.subarray(0, count));
    }
  });

  it('has the moments of a standard normal distribution, and independent halves of a pair', () => {
    const count = 200_000;
    const values = fillNormal({ ...ADDRESS, stream: 'samples' }, new Float32Array(count));
    const moment = (power: number) => values.reduce((sum, value) => sum + value ** power, 0) / count;
    // Deviations of the sample moments: sqrt(1/n), sqrt(2/n), sqrt(15/n), sqrt(96/n); four of each are allowed.
    const within = (value: number, expected: number, variance: number): void =>
      expect(Math.abs(value - expected)).toBeLessThan(4 * Math.sqrt(variance / count));
    within(moment(1), 0, 1);
    within(moment(2), 1, 2);
    within(moment(3), 0, 15);
    within(moment(4), 3, 96);
    let product = 0;
    for (let i = 0; i < count; i += 2) product += (values[i] ?? 0) * (values[i + 1] ?? 0);
    expect(Math.abs(product / (count / 2))).toBeLessThan(4 / Math.sqrt(count / 2));
  });
});

describe('fillUniform', () => {
  it('maps words linearly: 0 to low, 2^31 to the middle, 2^32 - 2^9 to just below high', () => {
    philox.mockImplementation((_, __, out, at = 0) => out.set([0, 2 ** 31, 3 * 2 ** 30, 2 ** 32 - 2 ** 9], at));
    // low 2, high 6: 2 + 4 * (1 - 2^-23) = 6 - 2^-21, the largest float32 below 6
    expect([...fillUniform(ADDRESS, 2, 6, new Float32Array(4))]).toEqual([2, 4, 5, 6 - 2 ** -21]);
  });

  it('reaches high only by rounding to float32', () => {
    philox.mockImplementation((_, __, out, at = 0) => out.set([2 ** 32 - 1, 0, 0, 0], at));
    expect(fillUniform(ADDRESS, -0.25, 0.25, new Float32Array(1))[0]).toBe(0.25); // 0.25 - 2^-33
  });

  it('stays within its bounds and has the moments of a uniform distribution', () => {
    const count = 100_000;
    const values = fillUniform(ADDRESS, -0.25, 0.25, new Float32Array(count));
    expect(Math.min(...values)).toBeGreaterThanOrEqual(-0.25);
    expect(Math.max(...values)).toBeLessThanOrEqual(0.25);
    const mean = values.reduce((sum, value) => sum + value, 0) / count;
    const variance = values.reduce((sum, value) => sum + value * value, 0) / count;
    // Variance of U(-a, a) is a^2 / 3 = 1/48, that of its square a^4 (1/5 - 1/9) = 4/45 * 2^-8.
    expect(Math.abs(mean)).toBeLessThan(4 * Math.sqrt(1 / 48 / count));
    expect(Math.abs(variance - 1 / 48)).toBeLessThan(4 * Math.sqrt(((4 / 45) * 2 ** -8) / count));
  });
});

describe('against numpy (test/golden/make_golden.py)', () => {
  const { seed, latent, batch, step, sha256 } = GOLDEN;
  const digest = (values: Uint8Array | Float32Array) => createHash('sha256').update(values).digest('hex');

  it.each([
    ['discriminatorNoise', step, batch],
    ['generatorNoise', step, batch],
    ['samples', 0, 4],
  ] as const)('normal numbers of %s have the same bits', (stream, time, images) => {
    const noise = fillNormal({ seed, stream, time, part: 0 }, new Float32Array(images * latent));
    expect(digest(noise)).toBe(sha256[`noise.${stream}`]);
  });

  it('words have the same bits', () => {
    expect(digest(goldenPixels(step, batch))).toBe(sha256.images);
  });
});
