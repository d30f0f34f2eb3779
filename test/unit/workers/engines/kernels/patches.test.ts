// The judge's layers by the kernels are held to the JavaScript, bit for bit: over any numbers and shapes, and the whole classifier. The processor's
// widest kernels come first, as a process that has been limited to AVX2 stays so.
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { Classifier } from '../../../../../workers/judge/classifier.ts';
import { convolvePatches } from '../../../../../workers/judge/patches.ts';
import { hasKernels, ISAS, loadedBinding, useIsa } from './loaded.ts';

const value = fc.oneof(
  { weight: 4, arbitrary: fc.double({ min: -2, max: 2, noNaN: true }) },
  fc.constantFrom(0, 0, 0, -0, 2 ** -1074, 1e100, -1e100),
);
const shapes = fc.record({
  side: fc.integer({ min: 1, max: 9 }),
  channels: fc.integer({ min: 1, max: 5 }),
  kernel: fc.integer({ min: 1, max: 5 }),
  margin: fc.integer({ min: 0, max: 2 }),
  outSide: fc.integer({ min: 1, max: 5 }),
  outputs: fc.integer({ min: 1, max: 6 }).map((blocks) => blocks * 8),
  isRectified: fc.integer({ min: 0, max: 1 }),
});
const FIRST = { side: 28, channels: 1, kernel: 5, margin: 2, outSide: 14, outputs: 8, isRectified: 1 };

/** Numbers from a few, over and over. */
const repeated = (values: readonly number[], length: number): Float64Array =>
  Float64Array.from({ length }, (_, i) => values[(i * i + i) % values.length] as number);

describe.skipIf(!hasKernels).each(ISAS.filter((isa) => isa !== 'wasm'))('with %s', (isa) => {
  beforeAll(() => useIsa(isa));

  it('a layer has the bits of the JavaScript', () => {
    fc.assert(
      fc.property(shapes, fc.array(value, { minLength: 40, maxLength: 60 }), (shape, values) => {
        const { side, channels, kernel, outSide, outputs } = shape;
        const weights = repeated(values, kernel * kernel * channels * outputs);
        const [bias, pixels] = [repeated(values.slice(5), outputs), repeated(values.slice(9), side * side * channels)];
        const outs = [convolvePatches, loadedBinding().convolvePatches].map((convolve) => {
          const out = new Float64Array(outSide * outSide * outputs);
          convolve(Int32Array.from(Object.values(shape)), weights, bias, pixels, out);
          return Buffer.from(out.buffer).toString('hex');
        });
        expect(outs[1]).toBe(outs[0]);
      }),
      { numRuns: 200 },
    );
  });

  it('the classifier says the same of images', () => {
    const images = Array.from({ length: 8 }, (_, i) =>
      Uint8Array.from({ length: 784 }, (_, p) => (p * p * (i + 3)) % 256),
    );
    expect(new Classifier(loadedBinding().convolvePatches).judge(images)).toEqual(new Classifier().judge(images));
  });
});

it.skipIf(!hasKernels).each([
  ['a shape of six numbers', (shape: number[]) => shape.slice(1), 'seven numbers'],
  ['a negative side', (shape: number[]) => [-28, ...shape.slice(1)], 'lengths'],
  ['outputs that are no eights', (shape: number[]) => shape.map((n, i) => (i === 5 ? 7 : n)), 'lengths'],
  ['a patch that is too large', (shape: number[]) => shape.map((n, i) => (i === 2 ? 23 : n)), 'lengths'],
  ['another side of the result', (shape: number[]) => shape.map((n, i) => (i === 4 ? 15 : n)), 'lengths'],
])('%s is refused before anything is written', (_, change, reason) => {
  const [shape, out] = [Int32Array.from(change(Object.values(FIRST))), new Float64Array(14 * 14 * 8).fill(5)];
  const call = (): void =>
    loadedBinding().convolvePatches(shape, new Float64Array(200), new Float64Array(8), new Float64Array(784), out);
  expect(call).toThrow(reason);
  expect(out.every((number) => number === 5)).toBe(true);
});
