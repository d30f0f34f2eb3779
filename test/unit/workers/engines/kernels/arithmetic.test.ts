// The kernels are what docs/arithmetic.md says: bit by bit those of arithmetic.ts, with every instruction set of this processor, on values of
// all sizes, -0 and numbers below float32's normal range.
import { beforeAll, describe, expect, it } from 'vitest';
import { fillNormal } from '../../../../../shared/random.ts';
import * as spec from './arithmetic.ts';
import * as convolutions from './arithmetic-convolutions.ts';
import { chosenBinding, hasKernels, ISAS, useIsa } from './loaded.ts';

let part = 0;

/** Normal numbers; `mixed`: some of them -0, subnormal, or so small that products are. */
function valuesOf(length: number, kind: string): Float32Array {
  const values = fillNormal({ seed: 17, stream: 'samples', time: 0, part: part++ }, new Float32Array(length));
  if (kind !== 'mixed') return values;
  const factors = [1, 1, 1e-20, 1e-30, 1e-39, -0, 1e6, 0];
  return values.map((value, i) => value * (factors[(i * 7 + (i >> 3)) % factors.length] ?? 1));
}

/** One instruction of a plan: its inputs, then outputs of these lengths. */
function run(
  kernel: string,
  sizes: readonly number[],
  value: number,
  inputs: readonly Float32Array[],
  lengths: readonly number[],
): Float32Array[] {
  const binding = chosenBinding();
  const arrays = [...inputs, ...lengths.map((length) => new Float32Array(length).fill(7))];
  const plan = binding.createPlan({
    steps: [{ kernel, buffers: Int32Array.from(arrays.keys()), sizes: Int32Array.from(sizes), value }],
    offsets: Int32Array.from(arrays.keys(), (i) => -1 - i),
    lengths: Int32Array.from(arrays, ({ length }) => length),
    inputs: inputs.length,
    floats: 0,
  });
  if (!plan) throw new Error(`there is no kernel ${kernel} for ${sizes}`);
  binding.run(binding.createFrame(plan), 0, 1, arrays);
  return arrays.slice(inputs.length);
}

function expectBits(got: readonly Float32Array[], expected: readonly Float32Array[]): void {
  expect(got.length).toBe(expected.length);
  for (const [output, values] of expected.entries()) {
    const [bits, others] = [values, got[output] ?? new Float32Array()].map(
      ({ buffer, byteOffset, length }) => new Int32Array(buffer, byteOffset, length),
    );
    const differs = bits?.findIndex((value, i) => value !== others?.[i]);
    expect(
      differs,
      `output ${output}, value ${differs}: ${got[output]?.[differs ?? 0]}, expected ${values[differs ?? 0]}`,
    ).toBe(-1);
  }
}

type Reference<Sizes> = (a: Float32Array, b: Float32Array, sizes: Sizes) => Float32Array;

/** A convolution, its transposed one and the gradient of its filter have the bits of their definitions. */
function expectConvolutions<Sizes>(
  list: readonly number[],
  sizes: Sizes,
  [large, filter, small]: readonly [Float32Array, Float32Array, Float32Array],
  [convolve, transposed, gradient]: readonly [Reference<Sizes>, Reference<Sizes>, Reference<Sizes>],
): void {
  expectBits(run('convolve', list, 0, [large, filter], [small.length]), [convolve(large, filter, sizes)]);
  expectBits(run('convolveTransposed', list, 0, [small, filter], [large.length]), [transposed(small, filter, sizes)]);
  expectBits(run('convolveFilter', list, 0, [large, small], [filter.length]), [gradient(large, small, sizes)]);
}

it('the reference multiplies and adds with one rounding', () => {
  expect(spec.fma(1 + 2 ** -23, 1 - 2 ** -23, -1)).toBe(-(2 ** -46));
  // Rounded to float64 first, the sum would lie in the middle, and then go to even.
  expect(spec.fma(1 + 2 ** -12, 1 + 2 ** -12, 2 ** -60)).toBe(1 + 2 ** -11 + 2 ** -23);
  expect(spec.fma(2 ** -75, 2 ** -75, 0)).toBe(0);
  expect(spec.fma(2 ** -75, 1.5 * 2 ** -75, 0)).toBe(2 ** -149);
  expect(spec.fma(-(2 ** -80), 2 ** -80, 0)).toBe(-0);
});

describe.skipIf(!hasKernels).each([...ISAS, 'wasm-exact'] as const)('%s', (isa) => {
  beforeAll(() => useIsa(isa));

  describe.each(['plain', 'mixed'])('%s values', (kind) => {
    const values = (length: number): Float32Array => valuesOf(length, kind);

    it.each([
      [8, 32, 64, 1],
      [16, 16, 32, 1],
      // Channels that are no whole slices of two vectors, more than are computed together, and other sides.
      [8, 48, 16, 1],
      [8, 144, 16, 1],
    ] as const)('Winograd of S, I, N, B = %i, %i, %i, %i', (S, I, N, B) => {
      const sizes = { S, I, N, B };
      const [large, filter, small] = [values(B * S * S * I), values(16 * I * N), values((B * S * S * N) / 4)];
      const list = [S, I, N, B];
      const { convolve, convolveTransposed, convolveFilter } = convolutions;
      expectConvolutions(list, sizes, [large, filter, small], [convolve, convolveTransposed, convolveFilter]);
    });

    it('the gradient of a filter over two groups of tiles, the second not whole', () => {
      const sizes = { S: 16, I: 16, N: 32, B: 9 }; // 144 tiles
      const [large, small] = [values(9 * 256 * 16), values(9 * 64 * 32)];
      expectBits(run('convolveFilter', [16, 16, 32, 9], 0, [large, small], [16 * 16 * 32]), [
        convolutions.convolveFilter(large, small, sizes),
      ]);
    });

    // Pixels, colours, channels, images.
    it.each([
      [28, 1, 16, 3],
      [28, 1, 32, 2],
      [28, 3, 16, 1],
      [32, 1, 16, 2],
      [32, 3, 48, 1],
    ])('convolutions at the images, S, C, N, B = %i, %i, %i, %i', (S, C, N, B) => {
      const sizes = { S, C, N, B };
      const features = B * convolutions.featuresOf(S) ** 2 * N;
      const [images, filter, small] = [values(B * S * S * C), values(16 * C * N), values(features)];
      const list = [S, C, N, B];
      const { convolveImages, convolveToImages, convolveImagesFilter } = convolutions;
      const references = [convolveImages, convolveToImages, convolveImagesFilter] as const;
      expectConvolutions(list, sizes, [images, filter, small], references);
    });

    // Up to three blocks of 1,024 pixels, and chunks and fours that are not whole.
    it.each([
      [1, 16],
      [63, 32],
      [1024, 16],
      [2117, 16],
    ])('BatchNorm and biases of %i pixels, %i channels', (pixels, C) => {
      const [x, dy, weight, bias] = [values(pixels * C), values(pixels * C), values(C), values(C)];
      for (const slope of [0, Math.fround(0.2), 1]) {
        const { y, mean, variance, inverse } = spec.normalise(x, weight, bias, slope, pixels, C);
        const lengths = [pixels * C, C, C, C];
        expectBits(run('normalise', [pixels, C], slope, [x, weight, bias], lengths), [y, mean, variance, inverse]);
        const gradient = spec.normaliseGradient({ dy, y, x, weight, mean, inverse }, slope, pixels, C);
        expectBits(
          run('normaliseGradient', [pixels, C], slope, [dy, y, x, weight, mean, inverse], [pixels * C, C, C]),
          [gradient.dx, gradient.dWeight, gradient.dBias],
        );
        const [, dBias = new Float32Array()] = run('addBiasGradient', [pixels, C], slope, [dy, y], [pixels * C, C]);
        expectBits([dBias], [spec.biasGradient(dy, y, slope, pixels, C)]);
      }
    });

    it.each([16, 1])('a bias and LeakyReLU of %i channels', (C) => {
      const [x, bias] = [values(20 * C), values(C)];
      const sums = x.map((v, i) => Math.fround(v + (bias[i % C] ?? 0)));
      const expected = sums.map((v) => (v > 0 ? v : spec.fma(v, Math.fround(0.2), 0)));
      expectBits(run('addBias', [20, C], 0.2, [x, bias], [20 * C]), [expected]);
    });

    it.each([
      [9, 20, 64],
      [3, 17, 32],
    ])('products of M, K, N = %i, %i, %i', (M, K, N) => {
      const [a, aT, b] = [values(M * K), values(K * M), values(K * N)];
      const right = (k: number, n: number): number => b[k * N + n] ?? 0;
      const direct = spec.multiply((m, k) => a[m * K + k] ?? 0, right, M, K, N);
      expectBits(run('multiply', [M, K, N], 0, [a, b], [M * N]), [direct]);
      const transposed = spec.multiply((m, k) => aT[k * M + m] ?? 0, right, M, K, N);
      expectBits(run('multiplyTransposedA', [M, K, N], 0, [aT, b], [M * N]), [transposed]);
    });

    it.each([
      [3, 16],
      [5, 100],
    ])('a [%i, %i] by a vector, and its transpose by one', (M, K) => {
      const [a, x, y] = [values(M * K), values(K), values(M)];
      expectBits(run('multiply', [M, K, 1], 0, [a, x], [M]), [spec.multiplyVector(a, x, M, K)]);
      const rows = spec.multiply(
        (k, m) => a[m * K + k] ?? 0,
        (m) => y[m] ?? 0,
        K,
        M,
        1,
      );
      expectBits(run('multiplyTransposedA', [K, M, 1], 0, [a, y], [K]), [rows]);
    });

    it('functions of single values', () => {
      const spread = Float32Array.from({ length: 4001 }, (_, i) => (i - 2000) * 0.05);
      const x = Float32Array.from([...spread, ...values(500), 0.625, 0.6249999, Infinity, -Infinity]);
      const dy = values(x.length);
      const y = x.map(spec.tanh);
      expectBits(run('tanh', [x.length], 0, [x], [x.length]), [y]);
      expectBits(run('sigmoid', [x.length], 0, [x], [x.length]), [x.map(spec.sigmoid)]);
      const gradient = y.map((v, i) => Math.fround((dy[i] ?? 0) * spec.fma(Math.fround(0 - v), v, 1)));
      expectBits(run('tanhGradient', [x.length], 0, [y, dy], [x.length]), [gradient]);
    });
  });

  // What does not fit into the memory for transformed taps at once: layers of 64 pixels at width 1 are so. The exact fallback takes too long.
  const describeWide = isa === 'wasm-exact' ? undefined : describe;
  describeWide?.('channels that are computed some after others have the bits of those computed at once,', () => {
    /** Of rows of `width` values, one half. */
    const halfOf = (values: Float32Array, width: number, half: 0 | 1): Float32Array =>
      values.filter((_, i) => (i % width < width / 2 ? 0 : 1) === half);
    const one = (...call: Parameters<typeof run>): Float32Array => run(...call)[0] ?? new Float32Array();

    it('in a convolution: 896 of 1,024, and 32 of 48 tiles', () => {
      const [large, filter] = [valuesOf(3 * 256 * 64, 'plain'), valuesOf(16 * 64 * 1024, 'plain')];
      const whole = one('convolve', [16, 64, 1024, 3], 0, [large, filter], [3 * 64 * 1024]);
      for (const half of [0, 1] as const) {
        const part = one('convolve', [16, 64, 512, 3], 0, [large, halfOf(filter, 1024, half)], [3 * 64 * 512]);
        expectBits([halfOf(whole, 1024, half)], [part]);
      }
    });

    it('in a transposed one: 896 of 1,024, and two of three images', () => {
      const [small, filter] = [valuesOf(3 * 64 * 64, 'plain'), valuesOf(16 * 1024 * 64, 'plain')];
      const whole = one('convolveTransposed', [16, 1024, 64, 3], 0, [small, filter], [3 * 256 * 1024]);
      for (const half of [0, 1] as const) {
        const ofHalf = halfOf(filter, 1024 * 64, half);
        const part = one('convolveTransposed', [16, 512, 64, 3], 0, [small, ofHalf], [3 * 256 * 512]);
        expectBits([halfOf(whole, 1024, half)], [part]);
      }
    });

    it('in the gradient of a filter: 128 of 256, and 128 of 144 tiles', () => {
      const [large, small] = [valuesOf(9 * 256 * 256, 'plain'), valuesOf(9 * 64 * 16, 'plain')];
      const whole = one('convolveFilter', [16, 256, 16, 9], 0, [large, small], [16 * 256 * 16]);
      for (const half of [0, 1] as const) {
        const part = one('convolveFilter', [16, 128, 16, 9], 0, [halfOf(large, 256, half), small], [16 * 128 * 16]);
        expectBits([halfOf(whole, 256 * 16, half)], [part]);
      }
    });
  });
});
