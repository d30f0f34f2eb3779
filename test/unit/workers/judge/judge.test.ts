// What the judge says of sets whose place is known: real digits, noise, one digit, nine digits, blurred ones.
import { beforeAll, describe, expect, it } from 'vitest';
import { loadMnistPackage } from '../../../../coordinator/data/mnist-package.ts';
import { toRealImages } from '../../../../coordinator/evaluation/real-images.ts';
import type { Figures, RealImages } from '../../../../shared/evaluation.ts';
import { viewsOf } from '../../../../shared/pixels.ts';
import { randomWords } from '../../../../shared/random.ts';
import { Classifier } from '../../../../workers/judge/classifier.ts';
import { toFigures, toNearest, totalVariation } from '../../../../workers/judge/judge.ts';
import { computeReference, type Reference } from '../../../../workers/judge/reference.ts';

const SIZE = 784;
const COUNT = 800;

const classifier = new Classifier();
const dataset = loadMnistPackage();
let real: RealImages;
let reference: Reference;
/** Images of the package that the reference does not have, in an order without pattern, with their labels. */
let others: readonly { readonly image: Uint8Array; readonly label: number }[];

const figuresOf = (images: readonly Uint8Array[]): Figures =>
  toFigures(classifier, images, dataset.imageShape, reference);

beforeAll(() => {
  const all = toRealImages(dataset);
  const order = all.reference.indices;
  const part = order.subarray(0, 2000);
  const labels = Uint8Array.from(part, (index) => dataset.labels[index] as number);
  real = { ...all, reference: { images: dataset.images, indices: part }, labels };
  real = { ...real, others: { images: dataset.images, indices: order.subarray(2000, 3000) } };
  reference = computeReference(classifier, real, COUNT);
  others = [...order.subarray(3000)].map((index) => ({
    image: dataset.images.subarray(index * SIZE, (index + 1) * SIZE),
    label: dataset.labels[index] as number,
  }));
});

const digits = (wanted: (label: number) => boolean): Uint8Array[] =>
  others
    .filter(({ label }) => wanted(label))
    .slice(0, COUNT)
    .map(({ image }) => image);

/** The mean of 5 x 5 pixels. */
function blurred(image: Uint8Array): Uint8Array {
  return image.map((_, at) => {
    let sum = 0;
    for (let y = -2; y <= 2; y++) {
      for (let x = -2; x <= 2; x++) {
        const column = (at % 28) + x;
        const inside = column >= 0 && column < 28;
        if (inside) sum += image[at + y * 28 + x] ?? 0;
      }
    }
    return sum / 25;
  });
}

function noise(i: number): Uint8Array {
  const words = randomWords({ seed: 1, stream: 'samples', time: 0, part: i }, SIZE);
  return Uint8Array.from(words, (word) => word >>> 24);
}

describe('the judge', () => {
  it('finds real images as near to real ones as its floor says', () => {
    const figures = figuresOf(digits(() => true));
    expect(figures.floorCount).toBe(COUNT);
    expect(figures.frechetDistance).toBeGreaterThan(0.5 * figures.floor);
    expect(figures.frechetDistance).toBeLessThan(1.5 * figures.floor);
    expect(figures.precision).toBeGreaterThan(0.75);
    expect(figures.recall).toBeGreaterThan(0.75);
    expect(figures.totalVariation).toBeLessThan(0.06);
    expect(figures.confidence).toBeGreaterThan(0.97);
  });

  it('ranks real, nine digits, blurred ones, and last one digit repeated and noise', () => {
    const [one] = digits((label) => label === 3);
    const sets = {
      real: figuresOf(digits(() => true)),
      nine: figuresOf(digits((label) => label !== 4)),
      blurred: figuresOf(digits(() => true).map(blurred)),
      repeated: figuresOf(Array.from({ length: COUNT }, () => one as Uint8Array)),
      noise: figuresOf(Array.from({ length: COUNT }, (_, i) => noise(i))),
    };
    const [least, nine, blurry, repeated, random] = Object.values(sets).map(({ frechetDistance }) => frechetDistance);
    expect(nine).toBeGreaterThan(2 * (least as number));
    expect(blurry).toBeGreaterThan(2 * (nine as number));
    expect(repeated).toBeGreaterThan(2 * (blurry as number));
    expect(random).toBeGreaterThan(2 * (blurry as number));
    expect(sets.blurred.confidence).toBeLessThan(0.95);
    expect(sets.blurred.recall).toBe(0);
    expect(sets.nine.classShares?.[4]).toBeLessThan(0.01);
    expect(sets.nine.totalVariation).toBeGreaterThan(0.08);
    expect(sets.repeated.classShares).toEqual([0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    expect(sets.repeated.recall).toBeLessThan(0.01);
    expect(sets.repeated.precision).toBe(1);
    expect(sets.noise.precision).toBe(0);
    expect(sets.noise.recall).toBe(0);
  });

  it('gives the same figures a second time', () => {
    const images = digits(() => true).slice(0, 100);
    expect(figuresOf(images)).toEqual(figuresOf(images));
  });

  it('leaves out the figures of classes where the labels are others, or none', () => {
    const few = { ...real, reference: { images: dataset.images, indices: real.reference.indices.subarray(0, 200) } };
    for (const labels of [null, Uint8Array.from(real.labels ?? [], (label) => 9 - label).subarray(0, 200)]) {
      const figures = toFigures(
        classifier,
        digits(() => true).slice(0, 50),
        dataset.imageShape,
        computeReference(classifier, { ...few, labels }, 50),
      );
      expect(figures).toMatchObject({ classShares: null, realShares: null, totalVariation: null, confidence: null });
      expect(figures.frechetDistance).toBeGreaterThan(0);
    }
  });

  it('judges beside very few images', () => {
    for (const total of [2, 3, 5]) {
      const indices = real.reference.indices.subarray(0, total);
      const none = { images: dataset.images, indices: new Uint32Array(0) };
      const few = { ...real, labels: null, reference: { images: dataset.images, indices }, others: none };
      const figures = toFigures(
        classifier,
        digits(() => true).slice(0, 2),
        dataset.imageShape,
        computeReference(classifier, few, 10),
      );
      expect(Number.isFinite(figures.frechetDistance)).toBe(true);
      expect(Number.isFinite(figures.floor)).toBe(true);
    }
  });

  it('finds a training image that was learned by heart', () => {
    const training = { images: dataset.images, indices: Uint32Array.from({ length: 300 }, (_, i) => i) };
    const few = { ...real, training, reference: { images: dataset.images, indices: training.indices.subarray(0, 64) } };
    const byHeart = toNearest(viewsOf(dataset.images, training.indices, SIZE), few);
    expect(byHeart.drawn).toBe(0);
    expect(byHeart.least).toBe(0);
    expect(byHeart.real).toBeGreaterThan(0.1); // an image does not count as its own neighbour
    const white = toNearest([new Uint8Array(SIZE).fill(255)], {
      ...few,
      training: { images: new Uint8Array(SIZE), indices: Uint32Array.of(0) },
    });
    expect(white.drawn).toBe(1);
  });
});

describe('totalVariation', () => {
  it('is 0 for equal shares and 1 where nothing is shared', () => {
    expect(totalVariation(Float64Array.of(0.5, 0.5), Float64Array.of(0.5, 0.5))).toBe(0);
    expect(totalVariation(Float64Array.of(1, 0), Float64Array.of(0, 1))).toBe(1);
    expect(totalVariation(Float64Array.of(0.75, 0.25), Float64Array.of(0.5, 0.5))).toBe(0.25);
  });
});
