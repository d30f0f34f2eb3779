import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { countStepsPerEpoch, createSampler, shuffle } from '../../../../coordinator/training/sampler.ts';

/** Images of a step in order, whatever their shards. */
function imagesOf(sampler: ReturnType<typeof createSampler>, step: number): number[] {
  return sampler(step).shards.flatMap((shard) => [...shard]);
}

const options = fc
  .record({
    seed: fc.maxSafeNat(),
    shards: fc.integer({ min: 1, max: 5 }),
    shardSize: fc.integer({ min: 1, max: 6 }),
    extra: fc.integer({ min: 0, max: 90 }),
  })
  .map(({ seed, shards, shardSize, extra }) => {
    const batch = shards * shardSize;
    return { seed, shards, batch, count: batch + extra };
  });

describe('shuffle', () => {
  it('is Fisher-Yates over the words of the stream, by hand', () => {
    // Words of (seed 7, sampler, epoch 0): 2545112793, 531643458, 698849000, 2576041488, 2522840782 (Philox, known answers
    // in philox.test.ts). j = floor(word[i] * (i + 1) / 2^32): i = 4: 2, i = 3: 2, i = 2: 0, i = 1: 0.
    // 01234 -> swap 4, 2: 01432 -> swap 3, 2: 01342 -> swap 2, 0: 31042 -> swap 1, 0: 13042.
    expect([...shuffle(7, 0, 5)]).toEqual([1, 3, 0, 4, 2]);
  });

  it('gives every order of four images equally often', () => {
    const counts = new Map<string, number>();
    const epochs = 2400;
    for (let epoch = 0; epoch < epochs; epoch++) {
      const order = shuffle(3, epoch, 4).join('');
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect(counts.size).toBe(24);
    const expected = epochs / 24;
    const chiSquared = [...counts.values()].reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
    expect(chiSquared).toBeLessThan(49.7); // 23 degrees of freedom: exceeded with probability .001
  });

  it('differs between seeds, also above 2^32, and between epochs', () => {
    const orders = [shuffle(1, 0, 100), shuffle(2, 0, 100), shuffle(1 + 2 ** 32, 0, 100), shuffle(1, 1, 100)];
    expect(new Set(orders.map((order) => order.join())).size).toBe(4);
  });
});

describe('stepsPerEpoch', () => {
  it('counts whole batches', () => {
    expect(countStepsPerEpoch({ count: 60_000, batch: 128 })).toBe(468); // 60,000 = 468 * 128 + 96
    expect(countStepsPerEpoch({ count: 128, batch: 128 })).toBe(1);
    expect(countStepsPerEpoch({ count: 127, batch: 128 })).toBe(0);
  });
});

describe('createSampler', () => {
  it('takes every image at most once an epoch, and leaves fewer than a batch', () => {
    fc.assert(
      fc.property(options, (given) => {
        const stepsPerEpoch = countStepsPerEpoch(given);
        const sampler = createSampler(given);
        for (const epoch of [0, 1]) {
          const seen = Array.from({ length: stepsPerEpoch }, (_, i) =>
            imagesOf(sampler, epoch * stepsPerEpoch + i),
          ).flat();
          expect(seen.length).toBe(stepsPerEpoch * given.batch);
          expect(new Set(seen).size).toBe(seen.length);
          expect(Math.max(...seen)).toBeLessThan(given.count);
          expect(given.count - seen.length).toBeLessThan(given.batch);
        }
      }),
    );
  });

  it('cuts a batch into equal, disjoint shards, and the cut does not change the images', () => {
    fc.assert(
      fc.property(options, fc.nat({ max: 500 }), (given, step) => {
        const { shards } = createSampler(given)(step);
        expect(shards.length).toBe(given.shards);
        for (const shard of shards) expect(shard.length).toBe(given.batch / given.shards);
        const images = imagesOf(createSampler(given), step);
        expect(new Set(images).size).toBe(given.batch);
        expect(images).toEqual(imagesOf(createSampler({ ...given, shards: 1 }), step));
        expect(images).toEqual(imagesOf(createSampler({ ...given, shards: given.batch }), step));
      }),
    );
  });

  it('is a pure function of seed and step: calls in any order give the same images', () => {
    fc.assert(
      fc.property(options, fc.array(fc.nat({ max: 300 }), { minLength: 1, maxLength: 20 }), (given, steps) => {
        const sampler = createSampler(given);
        for (const step of steps) expect(sampler(step)).toEqual(createSampler(given)(step));
      }),
      { numRuns: 50 },
    );
  });

  it('counts epochs from 0 and walks through the order of each', () => {
    const sampler = createSampler({ seed: 5, count: 10, batch: 4, shards: 2 });
    expect([0, 1, 2, 3, 4].map((step) => sampler(step).epoch)).toEqual([0, 0, 1, 1, 2]);
    const order = shuffle(5, 1, 10);
    expect(sampler(2).shards).toEqual([order.slice(0, 2), order.slice(2, 4)]);
    expect(sampler(3).shards).toEqual([order.slice(4, 6), order.slice(6, 8)]);
  });

  it('uses images that were left over once in later epochs', () => {
    // 10 images, 8 an epoch. An image is left over with probability 1/5, so 20 times in a row with 1e-14.
    const sampler = createSampler({ seed: 5, count: 10, batch: 4, shards: 1 });
    const first = new Set([...imagesOf(sampler, 0), ...imagesOf(sampler, 1)]);
    expect(first.size).toBe(8);
    const later = new Set(Array.from({ length: 40 }, (_, i) => imagesOf(sampler, 2 + i)).flat());
    expect(later.size).toBe(10);
  });
});
