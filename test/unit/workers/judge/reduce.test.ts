// What the classifier is shown: digits in other sizes and colours have, nearly or exactly, the figures that they have as they are.
import { describe, expect, it } from 'vitest';
import { loadData } from '../../../../coordinator/data/load-data.ts';
import { toRealImages } from '../../../../coordinator/evaluation/real-images.ts';
import { defaultSettings } from '../../../../coordinator/settings/settings.ts';
import { greyOf, viewsOf } from '../../../../shared/pixels.ts';
import { Classifier } from '../../../../workers/judge/classifier.ts';
import { toNearest } from '../../../../workers/judge/judge.ts';
import { toJudged } from '../../../../workers/judge/reduce.ts';
import { computeReference } from '../../../../workers/judge/reference.ts';

const load = (imageSize: 28 | 32 | 64, channels: 1 | 3) =>
  loadData({ settings: { ...defaultSettings(), imageSize, channels } });

describe('toJudged', () => {
  it('leaves grey images of 28 x 28 as they are', () => {
    const image = Uint8Array.from({ length: 784 }, (_, i) => i % 256);
    expect(toJudged(image, [28, 28, 1])).toEqual(image);
  });

  it('makes colour grey first, then another size, in whole numbers', () => {
    const colour = Uint8Array.from({ length: 56 * 56 * 3 }, (_, i) => [200, 40, 90][i % 3] ?? 0);
    expect(new Set(toJudged(colour, [56, 56, 3]))).toEqual(new Set([greyOf(200, 40, 90)]));
    const dots = Uint8Array.from({ length: 64 * 64 }, (_, i) => (i === 64 * 32 + 32 ? 255 : 0));
    const reduced = toJudged(dots, [64, 64, 1]);
    expect(reduced.length).toBe(784);
    expect([...reduced].filter((value) => value > 0).length).toBeLessThanOrEqual(9);
  });
});

it('digits of 32 x 32 in colour are judged as the digits that they are', async () => {
  const [small, large] = [await load(28, 1), await load(32, 3)];
  const classifier = new Classifier();
  const indices = Uint32Array.from({ length: 300 }, (_, i) => i * 33);
  const classesOf = ({ images, imageShape }: typeof small) =>
    classifier.judge(
      viewsOf(
        images,
        indices,
        imageShape.reduce((a, b) => a * b, 1),
      ).map((image) => toJudged(image, imageShape)),
    ).classes;
  const [asSmall, asLarge] = [classesOf(small), classesOf(large)];
  expect(asLarge.filter((digit, i) => digit === asSmall[i]).length).toBeGreaterThan(290);

  const all = toRealImages(large);
  const part = { images: large.images, indices: all.reference.indices.subarray(0, 200) };
  const labels = Uint32Array.from(part.indices, (index) => large.labels[index] ?? 0);
  const real = {
    ...all,
    reference: part,
    labels,
    others: { ...part, indices: all.reference.indices.subarray(200, 300) },
  };
  expect(computeReference(classifier, real, 100).shares).not.toBe(null); // known as digits
  const first = large.images.subarray(0, 32 * 32 * 3);
  expect(toNearest([first], { ...real, training: { ...part, indices: Uint32Array.of(5, 0) } }).least).toBe(0);
});

it('the same bytes in another shape are other images', async () => {
  const { images, ...rest } = await load(32, 1);
  const [as32, as64] = [[32, 32, 1] as const, [64, 64, 1] as const].map((imageShape) =>
    toRealImages({ images, ...rest, imageShape, count: 100 }),
  );
  expect(as32?.key).not.toBe(as64?.key);
});
