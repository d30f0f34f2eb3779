import fc from 'fast-check';
import { expect, it } from 'vitest';
import { placeBuffers } from '../../../../../workers/engines/kernels/arena.ts';

/** Buffers of 1 to 200 floats, every fourth an array of the caller, and steps that use some of them. */
const plans = fc.integer({ min: 1, max: 12 }).chain((count) => {
  const some = fc.uniqueArray(fc.nat({ max: count - 1 }), { maxLength: 4 });
  return fc.record({
    sizes: fc.array(fc.integer({ min: 1, max: 200 }), { minLength: count, maxLength: count }),
    isArray: fc.array(fc.nat({ max: 3 }), { minLength: count, maxLength: count }),
    steps: fc.array(fc.record({ reads: some, writes: some }), { minLength: 1, maxLength: 10 }),
  });
});

it('gives no memory to two buffers whose lives overlap, begins each on a cache line, and leaves arrays to the caller', () => {
  const property = fc.property(plans, ({ sizes, isArray, steps }) => {
    const buffers = sizes.map((floats, i) => (isArray[i] === 0 ? { floats, array: i } : { floats }));
    const { offsets, floats } = placeBuffers(buffers, steps);
    const placed = buffers.map((buffer, i) => {
      const used = steps.flatMap(({ reads, writes }, step) => ([...reads, ...writes].includes(i) ? [step] : []));
      return { ...buffer, from: offsets[i] ?? Number.NaN, first: Math.min(...used), last: Math.max(...used) };
    });
    for (const [i, one] of placed.entries()) {
      if ('array' in one) {
        expect(one.from).toBe(-1 - i);
        continue;
      }
      expect(one.from % 16).toBe(0);
      expect(one.from).toBeGreaterThanOrEqual(0);
      expect(one.from + one.floats).toBeLessThanOrEqual(floats);
      for (const other of placed.slice(0, i)) {
        const isAlive = one.first <= other.last && other.first <= one.last; // not where one is never used
        if ('array' in other || !isAlive) continue;
        const isApart = one.from + one.floats <= other.from || other.from + other.floats <= one.from;
        expect(isApart, JSON.stringify([one, other])).toBe(true);
      }
    }
  });
  fc.assert(property, { numRuns: 2000, seed: 1 });
});

it('uses memory again when the last step that reads it is over', () => {
  const chain = Array.from({ length: 9 }, (_, i) => ({ reads: [i], writes: [i + 1] }));
  const { offsets, floats } = placeBuffers(
    Array.from({ length: 10 }, () => ({ floats: 100 })),
    chain,
  );
  expect(new Set(offsets).size).toBe(2);
  expect(floats).toBeLessThan(3 * 100);
  expect(placeBuffers([{ floats: 5, array: 0 }], [{ reads: [0], writes: [] }])).toEqual({ offsets: [-1], floats: 0 });
});
