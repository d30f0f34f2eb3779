// Features, Fréchet distance, precision and recall beside those of PyTorch and SciPy (test/golden/make_evaluation_golden.py).
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { viewsOf } from '../../../../shared/pixels.ts';
import { decodeSafetensors, toFloat32 } from '../../../../shared/safetensors.ts';
import { Classifier, FEATURES } from '../../../../workers/judge/classifier.ts';
import { frechetDistance, momentsOf } from '../../../../workers/judge/frechet.ts';
import { shareInside, toManifold } from '../../../../workers/judge/manifold.ts';

const file = new URL('../../../golden/evaluation.safetensors', import.meta.url);
const { tensors } = decodeSafetensors(readFileSync(file), 'evaluation.safetensors');
const read = (name: string): Float32Array => {
  const tensor = tensors.get(name);
  if (!tensor) throw new Error(`expected a tensor ${name}`);
  return toFloat32(tensor);
};
const figures = new Float64Array(new Uint8Array(tensors.get('figures')?.bytes ?? []).buffer);
const [byScipy = 0, byTorch = 0, precision = 0, recall = 0] = figures;
const [one, other] = [read('one'), read('other')];

const expectClose = (got: number, expected: number): void =>
  expect(Math.abs(got - expected) / expected).toBeLessThan(1e-6);

describe('the classifier', () => {
  it("has PyTorch's features", () => {
    const images = Uint8Array.from(read('images'));
    const indices = Uint32Array.from({ length: 16 }, (_, i) => i);
    const { features, classes } = new Classifier().judge(viewsOf(images, indices, 784));
    const expected = read('features');
    expect(Math.max(...expected)).toBeGreaterThan(1);
    const apart = features.reduce((most, value, i) => Math.max(most, Math.abs(value - (expected[i] as number))), 0);
    expect(apart).toBeLessThan(1e-5);
    expect([...classes.subarray(0, 10)]).toEqual([7, 2, 1, 0, 4, 1, 4, 9, 5, 9]);
  });
});

describe('frechetDistance', () => {
  it("agrees with SciPy's and PyTorch's computation to 1e-6", () => {
    const distance = frechetDistance(momentsOf(one, FEATURES), momentsOf(other, FEATURES));
    expectClose(distance, byScipy);
    expectClose(distance, byTorch);
  });

  it('is symmetric, 0 for equal sets, and the square of a shift', () => {
    const moments = momentsOf(one, FEATURES);
    expect(frechetDistance(moments, moments)).toBeLessThan(1e-9);
    expectClose(
      frechetDistance(moments, momentsOf(other, FEATURES)),
      frechetDistance(momentsOf(other, FEATURES), moments),
    );
    const shifted = { ...moments, mean: moments.mean.map((value, i) => value + (i === 5 ? 3 : 0)) };
    expectClose(frechetDistance(moments, shifted), 9);
  });

  it('takes singular covariances', () => {
    const same = momentsOf(new Float32Array(10 * FEATURES).fill(2), FEATURES);
    const moments = momentsOf(one, FEATURES);
    const trace = moments.covariance.reduce((sum, value, i) => (i % (FEATURES + 1) === 0 ? sum + value : sum), 0);
    const shift = moments.mean.reduce((sum, value) => sum + (value - 2) ** 2, 0);
    expectClose(frechetDistance(moments, same), trace + shift);
  });
});

describe('precision and recall', () => {
  it("agree with PyTorch's", () => {
    const [real, drawn] = [toManifold(one, FEATURES), toManifold(other, FEATURES)];
    expect(shareInside(drawn, real)).toBeCloseTo(precision, 12);
    expect(shareInside(real, drawn)).toBeCloseTo(recall, 12);
  });

  it('counts the border of a ball', () => {
    // On a line: 0, 1, 2, 3 and a copy of the last at 3; the ball round 0 reaches to 3.
    const line = (...values: number[]): Float32Array => Float32Array.from(values.flatMap((value) => [value, 0, 0, 0]));
    const manifold = toManifold(line(0, 1, 2, 3), 4);
    expect([...manifold.squaredRadii]).toEqual([9, 4, 4, 9]);
    expect(shareInside(toManifold(line(-3, -3.001, 6, 6.001), 4), manifold)).toBe(0.5);
  });
});
