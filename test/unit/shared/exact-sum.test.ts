import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addRounded, exactLimit, findOutside, roundOne } from '../../../shared/exact-sum.ts';
import { fillNormal } from '../../../shared/random.ts';

const GRID = 2 ** -40;
const LENGTH = 5;

/** A value on the grid as an exact integer number of 2^-40: float64 multiplication by a power of two rounds nothing. */
const toUnits = (value: number): bigint => BigInt(value / GRID);

/** The next float32 below a positive one. */
function below(value: number): number {
  const bits = new Int32Array(Float32Array.of(value).buffer);
  bits[0] = (bits[0] ?? 0) - 1;
  return new Float32Array(bits.buffer)[0] ?? 0;
}

/** Sums in the order given, left to right. */
function sumOf(parts: readonly Float32Array[]): Float64Array {
  const sum = new Float64Array(parts[0]?.length ?? 0);
  addRounded(sum, parts, false);
  return sum;
}

/** Adds partial sums. */
function add(a: Float64Array, b: Float64Array): Float64Array {
  return a.map((value, i) => value + (b[i] ?? Number.NaN));
}

/** Sums over a random tree: two random partial sums become one until one is left. */
function sumOverTree(parts: readonly Float32Array[], choices: readonly number[]): Float64Array {
  const open = parts.map((part) => sumOf([part]));
  for (const choice of choices) {
    if (open.length === 1) break;
    const [a] = open.splice(choice % open.length, 1);
    const at = choice % open.length;
    const b = open[at];
    if (a && b) open[at] = add(b, a);
  }
  return open.reduce(add);
}

/** 2 to 60 shards of gradients below the limit, with a tree to add them over. */
const shards = fc.integer({ min: 2, max: 60 }).chain((count) => {
  const max = below(exactLimit(count));
  const value = fc.oneof(
    fc.float({ min: -max, max, noNaN: true }),
    fc.double({ min: -12, max: Math.log2(max), noNaN: true }).map((exponent) => Math.fround(2 ** exponent)),
  );
  const shard = fc.array(value, { minLength: LENGTH, maxLength: LENGTH }).map((values) => Float32Array.from(values));
  return fc.record({
    parts: fc.array(shard, { minLength: count, maxLength: count }),
    choices: fc.array(fc.nat(), { minLength: count, maxLength: count }),
  });
});

describe('a sum of rounded values', () => {
  it('has the same bits in any order and over any tree', () => {
    fc.assert(
      fc.property(shards, ({ parts, choices }) => {
        const expected = sumOf(parts);
        expect(sumOf(parts.toReversed())).toEqual(expected);
        expect(sumOverTree(parts, choices)).toEqual(expected);
        const half = Math.floor(parts.length / 2);
        expect(add(sumOf(parts.slice(half)), sumOf(parts.slice(0, half)))).toEqual(expected);
      }),
    );
  });

  it('is what integer arithmetic on multiples of 2^-40 gives', () => {
    fc.assert(
      fc.property(shards, ({ parts }) => {
        const units = Array.from({ length: LENGTH }, (_, i) =>
          parts.reduce((sum, part) => sum + toUnits(roundOne(part[i] ?? Number.NaN)), 0n),
        );
        expect([...sumOf(parts)].map(toUnits)).toEqual(units);
      }),
    );
  });

  it('depends on the order without rounding, for the same data', () => {
    // 60 shards of 5,000 values of a gradient's size, as in design/architecture.md.
    const parts = Array.from({ length: 60 }, (_, part) =>
      fillNormal({ seed: 1, stream: 'samples', time: 0, part }, new Float32Array(5000)).map((value) => value / 100),
    );
    const plain = (order: readonly Float32Array[]): Float32Array => {
      const sum = new Float32Array(5000);
      for (const values of order) for (const [i, value] of values.entries()) sum[i] = (sum[i] ?? 0) + value;
      return sum;
    };
    const differing = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
      Array.from(a).filter((value, i) => value !== b[i]).length;
    expect(differing(plain(parts), plain(parts.toReversed()))).toBeGreaterThan(1000);
    expect(differing(sumOf(parts), sumOf(parts.toReversed()))).toBe(0);
  });

  it('refuses vectors of different lengths, and changes nothing', () => {
    const sum = new Float64Array(3).fill(7);
    for (const length of [0, 2, 4])
      for (const isFirst of [true, false])
        expect(() => addRounded(sum, [new Float32Array(3).fill(1), new Float32Array(length)], isFirst)).toThrow(
          `exact sum of 3 values, got ${length}`,
        );
    expect([...sum]).toEqual([7, 7, 7]);
  });
});

describe('exactLimit', () => {
  it('is 2^11 for one or two terms, then 2^12 / terms', () => {
    expect([1, 2, 4, 60, 256].map(exactLimit)).toEqual([2048, 2048, 1024, 4096 / 60, 16]);
  });

  it('keeps every sum of 1 to 256 terms exact, at the limit and with the smallest units beside it', () => {
    for (let terms = 1; terms <= 256; terms++) {
      const largest = roundOne(below(exactLimit(terms)));
      const values = Array.from({ length: terms }, (_, i) =>
        i % 3 === 2 ? GRID : i % 2 === 0 ? largest : largest - GRID,
      );
      for (const sign of [1, -1]) {
        const units = values.reduce((sum, value) => sum + toUnits(sign * value), 0n);
        expect(toUnits(values.reduce((sum, value) => sum + sign * value, 0))).toBe(units);
        expect(toUnits(values.reduceRight((sum, value) => sum + sign * value, 0))).toBe(units);
      }
    }
  });
});

const rounded = (values: Float32Array): Float64Array => sumOf([values]);

describe('addRounded', () => {
  it('rounds to the nearest multiple of 2^-40, ties to even', () => {
    // In units of 2^-40: 1/4 -> 0; 1/2 -> 0; 3/4 -> 1; 3/2 -> 2; 5/2 -> 2; -3/2 -> -2; all are float32 values.
    const values = Float32Array.from([0.25, 0.5, 0.75, 1.5, 2.5, -1.5], (units) => units * GRID);
    expect([...rounded(values)]).toEqual([0, 0, GRID, 2 * GRID, 2 * GRID, -2 * GRID]);
  });

  it('rounds before it adds, at every position', () => {
    // A quarter of a unit added to a sum of 1 unit, four times, stays 1 unit; added up first it would be 2.
    for (let length = 1; length <= 9; length++) {
      const sum = new Float64Array(length).fill(GRID);
      for (let i = 0; i < 4; i++) addRounded(sum, [new Float32Array(length).fill(GRID / 4)], false);
      expect([...sum]).toEqual(Array(length).fill(GRID));
    }
  });

  it('gives the bits of a plain loop over any number of arrays, onto a sum or onto zeros', () => {
    const value = fc.oneof(
      fc.float(),
      fc.float({ min: -1, max: 1, noNaN: true }),
      fc.constantFrom(0, -0, -(2 ** -149), -(2 ** -42), -(2 ** -41), 2 ** -41, -6144, 6144),
    );
    const cases = fc.record({ length: fc.nat(11), count: fc.nat(9) }).chain(({ length, count }) => {
      const vector = fc.array(value, { minLength: length, maxLength: length });
      return fc.record({ start: vector, parts: fc.array(vector, { minLength: count, maxLength: count }) });
    });
    fc.assert(
      fc.property(cases, fc.boolean(), ({ start, parts }, isFirst) => {
        const sum = Float64Array.from(start);
        const values = parts.map((part) => Float32Array.from(part));
        addRounded(sum, values, isFirst);
        const expected = start.map((before, i) =>
          values.reduce((total, part) => total + roundOne(part[i] ?? 0), isFirst ? 0 : before),
        );
        expect([...sum].every((x, i) => Object.is(x, expected[i]))).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });

  it('is off by at most 2^-41, on the grid, and rounds like roundOne', () => {
    fc.assert(
      fc.property(fc.float({ min: -below(2048), max: below(2048), noNaN: true }), (value) => {
        const [result = Number.NaN] = rounded(Float32Array.of(value));
        expect(Math.abs(result - value)).toBeLessThanOrEqual(2 ** -41);
        expect(Number.isInteger(result / GRID)).toBe(true);
        expect(roundOne(value)).toBe(result);
        expect(roundOne(result)).toBe(result);
      }),
    );
  });

  it('keeps values that lie on the grid, up to the largest float32 below the limit', () => {
    const values = Float32Array.of(1, -0.5, 2 ** -40, below(2048), -below(2048));
    expect([...rounded(values)]).toEqual([1, -0.5, 2 ** -40, 2048 - 2 ** -13, -2048 + 2 ** -13]);
  });
});

describe('findOutside', () => {
  it.each([
    ['NaN', Number.NaN],
    ['infinity', Number.POSITIVE_INFINITY],
    ['minus infinity', Number.NEGATIVE_INFINITY],
    ['a value at the limit', 16],
    ['a value at minus the limit', -16],
    ['a large value', 3e38],
  ])('gives the index of the first of several: %s', (_, bad) => {
    expect(findOutside(Float32Array.of(1, 2, bad, 3, bad), 16)).toBe(2);
    expect(findOutside(Float32Array.of(bad), 16)).toBe(0);
  });

  it('accepts zeros of both signs, the smallest values, and what lies just below the limit', () => {
    expect(findOutside(Float32Array.of(0, -0, 1e-45, -1e-45, below(16), -below(16)), 16)).toBe(-1);
    expect(findOutside(new Float32Array(0), 16)).toBe(-1);
  });

  it('says what comparing says, for any bits and any limit', () => {
    const bits = fc.array(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), { maxLength: 11 });
    fc.assert(
      fc.property(bits, fc.integer({ min: 2, max: 512 }).map(exactLimit), (words, limit) => {
        const values = new Float32Array(Int32Array.from(words).buffer);
        const expected = values.findIndex((value) => !(Math.abs(value) < limit));
        expect(findOutside(values, limit)).toBe(expected);
      }),
    );
  });

  it('looks at a part of an array only', () => {
    const values = Float32Array.of(Number.NaN, 1, 2, Number.NaN);
    expect(findOutside(values.subarray(1, 3), 16)).toBe(-1);
    expect(findOutside(values.subarray(1), 16)).toBe(2);
  });
});
