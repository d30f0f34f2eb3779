// Every kernel of workers/engines/kernels/kernels.h against its definition in float64, with every instruction set of this processor; and all
// sets against the first, bit by bit.
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { exactLimit, findOutside } from '../../../../../shared/exact-sum.ts';
import type { Graph, Tensor } from '../../../../../shared/model/graph.ts';
import * as op from '../../../../../shared/model/ops.ts';
import * as naive from '../naive.ts';
import { relativeError, TestGraph } from '../run-graph.ts';
import { hasKernels, ISAS, kernelsRunner, loadedBinding, SameBits, useIsa } from './loaded.ts';

/** Of the largest value: float32 sums of up to 2,000 products of normal numbers. */
const CLOSE = 3e-6;
/** Of one value: functions and products of single ones. */
const LAST_BITS = 3e-7;

/** Sizes of findConvolutionKernel: side and channels of the larger images, channels of the smaller ones. */
const CONVOLUTIONS = [
  [28, 1, 16],
  [28, 1, 32],
  [16, 16, 32],
  [16, 32, 64],
  [8, 32, 64],
  [8, 64, 128],
] as const;
/**
 * One image, some, and more than one group of images that are computed together, with one left over. Gradients of filters take
 * groups of 8 images of 16 x 16 and of 32 of 8 x 8: winograd.h.
 */
const batchesOf = (side: number): number[] => [1, 3, side === 16 ? 5 : 17];
const filterBatchesOf = (side: number): number[] => [1, 3, side === 8 ? 33 : 17];

const sameBits = new SameBits();
/** Naive results, computed once for all instruction sets. */
const known = new Map<string, ArrayLike<number>>();
function once(name: string, compute: () => ArrayLike<number>): Float64Array {
  const values = known.get(name) ?? compute();
  known.set(name, values);
  return Float64Array.from(values);
}

interface Activation {
  readonly name: string;
  /** Below 0. */
  readonly slope: number;
  activate(graph: Graph, x: Tensor): Tensor;
  /** From its output. */
  gradient(graph: Graph, dy: Tensor, y: Tensor): Tensor;
}
const ACTIVATIONS: readonly Activation[] = [
  { name: 'no activation', slope: 1, activate: (_, x) => x, gradient: (_, dy) => dy },
  { name: 'ReLU', slope: 0, activate: op.relu, gradient: op.reluGradient },
  {
    ...{ name: 'LeakyReLU', slope: Math.fround(0.2) },
    activate: (graph, x) => op.leakyRelu(graph, x, 0.2),
    gradient: (graph, dy, y) => op.leakyReluGradient(graph, dy, y, 0.2),
  },
];
const activated = (slope: number) => (value: number) => (value > 0 ? value : value * slope);

describe.skipIf(!hasKernels).each(ISAS)('%s', (isa) => {
  beforeAll(() => useIsa(isa));

  const testGraph = () => new TestGraph(kernelsRunner());

  describe.each(CONVOLUTIONS)('convolutions of %i x %i x %i', (side, inner, outer) => {
    const padding = inner === 1 ? 3 : 1;
    const half = inner === 1 ? 16 : side / 2;
    const filter = [4, 4, inner, outer];
    const shapes = (batch: number) => ({ large: [batch, side, side, inner], small: [batch, half, half, outer] });
    const name = (kind: string, batch: number) => `${kind} ${[side, inner, outer, batch]}`;

    it.each(batchesOf(side))('forward, %i images', async (batch) => {
      const { large, small } = shapes(batch);
      const test = testGraph();
      const [x, w] = [test.input(large), test.input(filter)];
      const got = await test.run({ y: op.convolution(test.graph, x.tensor, w.tensor, { stride: 2, padding }) });
      const key = name('forward', batch);
      expect(
        relativeError(
          got.y,
          once(key, () => naive.convolution(x, w, padding, small).values),
        ),
      ).toBeLessThan(CLOSE);
      sameBits.expect(key, got);
    });

    it.each(batchesOf(side))('the gradient of the input, %i images', async (batch) => {
      const { large, small } = shapes(batch);
      const test = testGraph();
      const [dy, w] = [test.input(small), test.input(filter)];
      const got = await test.run({
        dx: op.transposedConvolution(test.graph, dy.tensor, w.tensor, { stride: 2, padding }, large),
      });
      const key = name('input', batch);
      const expected = once(key, () => naive.transposedConvolution(dy, w, padding, large).values);
      expect(relativeError(got.dx, expected)).toBeLessThan(CLOSE);
      sameBits.expect(key, got);
    });

    it.each(filterBatchesOf(side))('the gradient of the filter, %i images', async (batch) => {
      const { large, small } = shapes(batch);
      const test = testGraph();
      const [x, dy] = [test.input(large), test.input(small)];
      const got = await test.run({
        dw: op.filterGradient(test.graph, x.tensor, dy.tensor, { stride: 2, padding }, filter),
      });
      const key = name('filter', batch);
      const expected = once(key, () => naive.filterGradient(x, dy, padding, filter).values);
      expect(relativeError(got.dw, expected)).toBeLessThan(CLOSE);
      sameBits.expect(key, got);
    });
  });

  // 2 to 144 pixels: sums are taken over four at a time, and over 64.
  describe.each([
    [[1, 1, 2, 16]],
    [[1, 7, 9, 16]],
    [[1, 8, 8, 32]],
    [[1, 5, 13, 64]],
    [[2, 8, 9, 32]],
    [[5, 4, 4, 128]],
  ])('BatchNorm of [%s]', (shape) => {
    const channels = shape.at(-1) ?? 0;

    it.each(ACTIVATIONS)('on the statistics of the batch, $name', async ({ name, slope, activate }) => {
      const test = testGraph();
      const [x, scale, offset] = [test.input(shape), test.input([channels]), test.input([channels])];
      const norm = op.batchNorm(test.graph, x.tensor, scale.tensor, offset.tensor, 1e-5);
      const y = activate(test.graph, norm.y);
      const got = await test.run({ y, mean: norm.mean, variance: norm.variance });
      const expected = naive.batchNorm(x, scale.values, offset.values);
      expect(relativeError(got.y, expected.y.map(activated(slope)))).toBeLessThan(CLOSE);
      expect(relativeError(got.mean, expected.mean)).toBeLessThan(CLOSE);
      expect(relativeError(got.variance, expected.variance)).toBeLessThan(CLOSE);
      sameBits.expect(`norm ${shape} ${name}`, got);
    });

    it.each(ACTIVATIONS)('on given statistics, $name', async ({ name, slope, activate }) => {
      const test = testGraph();
      const positive = Array.from({ length: channels }, (_, i) => 0.1 + i / 7);
      const vectors = [test.input([channels]), test.input([channels]), test.input([channels])] as const;
      const [x, variance] = [test.input(shape), test.input([channels], positive)];
      const [scale, offset, mean] = vectors;
      const norm = op.fixedBatchNorm(
        test.graph,
        x.tensor,
        [scale.tensor, offset.tensor, mean.tensor, variance.tensor],
        1e-5,
      );
      const got = await test.run({ y: activate(test.graph, norm) });
      const at = (values: Float64Array, i: number) => values[i % channels] ?? Number.NaN;
      const expected = x.values.map((value, i) => {
        const normal = (value - at(mean.values, i)) / Math.sqrt(at(variance.values, i) + 1e-5);
        return normal * at(scale.values, i) + at(offset.values, i);
      });
      expect(relativeError(got.y, expected.map(activated(slope)))).toBeLessThan(CLOSE);
      sameBits.expect(`fixed ${shape} ${name}`, got);
    });

    it.each(ACTIVATIONS)('its gradients, $name', async ({ name, slope, activate, gradient }) => {
      const test = testGraph();
      const [x, scale, offset] = [test.input(shape), test.input([channels]), test.input([channels])];
      const dy = test.input(shape);
      const norm = op.batchNorm(test.graph, x.tensor, scale.tensor, offset.tensor, 1e-5);
      const active = activate(test.graph, norm.y);
      const dNorm = gradient(test.graph, dy.tensor, active);
      const { dx, dScale, dOffset } = op.batchNormGradient(test.graph, norm, dNorm);
      const got = await test.run({ dx, dScale, dOffset, active });
      const { y } = naive.batchNorm(x, scale.values, offset.values);
      const dyNorm = dy.values.map((value, i) => ((y[i] ?? Number.NaN) > 0 ? value : value * slope));
      const expected = naive.batchNormGradient(x, scale.values, dyNorm);
      // of two pixels almost nothing is left of dx: its size is that of what was subtracted
      const size = Math.max(...expected.dx.map(Math.abs), ...scale.values.map(Math.abs));
      const error = Math.max(...expected.dx.map((value, i) => Math.abs(value - (got.dx[i] ?? Number.NaN))));
      expect(error / size).toBeLessThan(CLOSE);
      expect(relativeError(got.dScale, expected.dScale)).toBeLessThan(CLOSE);
      expect(relativeError(got.dOffset, expected.dOffset)).toBeLessThan(CLOSE);
      sameBits.expect(`norm gradient ${shape} ${name}`, got);
    });
  });

  it('BatchNorm loses few digits where the mean is ten times the deviation', async () => {
    const shape = [8, 16, 16, 16];
    const test = testGraph();
    const far = testGraph()
      .input(shape)
      .values.map((value) => value + 10);
    const [x, scale, offset, dy] = [test.input(shape, [...far]), test.input([16]), test.input([16]), test.input(shape)];
    const norm = op.batchNorm(test.graph, x.tensor, scale.tensor, offset.tensor, 1e-5);
    const { dx, dScale } = op.batchNormGradient(test.graph, norm, dy.tensor);
    const got = await test.run({ y: norm.y, mean: norm.mean, variance: norm.variance, dx, dScale });
    const forward = once('far', () => naive.batchNorm(x, scale.values, offset.values).y);
    const backward = once('far, gradient', () => naive.batchNormGradient(x, scale.values, dy.values).dx);
    expect(relativeError(got.y, forward)).toBeLessThan(1e-5);
    expect(relativeError(got.dx, backward)).toBeLessThan(1e-5);
    sameBits.expect('far', got);
  });

  it('the variance keeps its digits where the mean is a hundred times the deviation', async () => {
    const shape = [8, 16, 16, 16];
    const test = testGraph();
    const far = testGraph()
      .input(shape)
      .values.map((value) => value + 100);
    const [x, scale, offset] = [test.input(shape, [...far]), test.input([16]), test.input([16])];
    const { variance } = op.batchNorm(test.graph, x.tensor, scale.tensor, offset.tensor, 1e-5);
    const got = await test.run({ variance });
    const pixels = 8 * 16 * 16;
    const expected = Array.from({ length: 16 }, (_, channel) => {
      const values = Array.from({ length: pixels }, (_, pixel) => x.values[pixel * 16 + channel] ?? Number.NaN);
      const mean = values.reduce((sum, value) => sum + value, 0) / pixels;
      return values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (pixels - 1);
    });
    expect(relativeError(got.variance, expected)).toBeLessThan(1e-6);
  });

  describe('biases', () => {
    const shapes = [
      [3, 5, 7, 16],
      [2, 16, 16, 32],
      [5, 1],
      [17, 1],
      [9, 5],
    ];
    const cases = shapes.flatMap((shape) => ACTIVATIONS.map((activation) => ({ shape, ...activation })));

    it.each(cases)('added to [$shape], $name', async ({ shape, name, slope, activate }) => {
      const test = testGraph();
      const channels = shape.at(-1) ?? 0;
      const [x, bias] = [test.input(shape), test.input([channels])];
      const sum = op.addBias(test.graph, x.tensor, bias.tensor);
      const got = await test.run({ y: activate(test.graph, sum) });
      const expected = x.values.map((value, i) => Math.fround(value + (bias.values[i % channels] ?? Number.NaN)));
      expect(relativeError(got.y, expected.map(activated(slope)))).toBeLessThan(LAST_BITS);
      sameBits.expect(`bias ${shape} ${name}`, got);
    });

    it.each(ACTIVATIONS.slice(1))('their gradient through $name, of 16 channels', async ({ name, slope, gradient }) => {
      const test = testGraph();
      const shape = [3, 5, 9, 16]; // 135 pixels
      const [dy, y] = [test.input(shape), test.input(shape)];
      const dx = gradient(test.graph, dy.tensor, y.tensor);
      const got = await test.run({ dx, dBias: op.biasGradient(test.graph, dx) });
      const expected = dy.values.map((value, i) => ((y.values[i] ?? 0) > 0 ? value : value * slope));
      const sums = Array.from({ length: 16 }, (_, channel) =>
        expected.reduce((sum, value, i) => (i % 16 === channel ? sum + value : sum), 0),
      );
      expect(relativeError(got.dx, expected)).toBeLessThan(LAST_BITS);
      expect(relativeError(got.dBias, sums)).toBeLessThan(CLOSE);
      sameBits.expect(`bias gradient ${name}`, got);
    });

    it.each([1, 7, 32, 1000])('the gradient of one channel over %i pixels', async (pixels) => {
      const test = testGraph();
      const dy = test.input([pixels, 1]);
      const got = await test.run({ dBias: op.biasGradient(test.graph, dy.tensor) });
      expect(got.dBias).toEqual([Math.fround(dy.values.reduce((sum, value) => sum + value, 0))]);
      sameBits.expect(`sum ${pixels}`, got);
    });
  });

  describe('products', () => {
    // M, K, N: rows beside the blocks of 4 and 8, lengths of noise that are no multiple of anything, columns in blocks of 32.
    it.each([
      [1, 1, 32],
      [3, 7, 32],
      [8, 16, 96],
      [17, 7, 64],
      [32, 100, 2048],
    ])('[%i, %i] by [.., %i], and the first transposed', async (M, K, N) => {
      const test = testGraph();
      const [a, aT, b] = [test.input([M, K]), test.input([K, M]), test.input([K, N])];
      const got = await test.run({
        product: op.matMul(test.graph, a.tensor, b.tensor),
        transposed: op.matMul(test.graph, aT.tensor, b.tensor, { transposeA: true }),
      });
      expect(relativeError(got.product, naive.matMul(a, b))).toBeLessThan(CLOSE);
      expect(relativeError(got.transposed, naive.matMul(naive.transposed(aT), b))).toBeLessThan(CLOSE);
      sameBits.expect(`product ${[M, K, N]}`, got);
    });

    it.each([
      [1, 1],
      [3, 7],
      [2, 16],
      [17, 100],
      [32, 1024],
    ])('[%i, %i] by a vector, its transpose by one, and a vector by a vector', async (M, K) => {
      const test = testGraph();
      const [a, x, y] = [test.input([M, K]), test.input([K, 1]), test.input([M, 1])];
      const got = await test.run({
        product: op.matMul(test.graph, a.tensor, x.tensor),
        rows: op.matMul(test.graph, a.tensor, y.tensor, { transposeA: true }),
        outer: op.matMul(test.graph, y.tensor, x.tensor, { transposeB: true }),
      });
      // one product may be small beside its summands
      const product = naive.matMul(a, x);
      expect(Math.max(...product.map((value, i) => Math.abs(value - (got.product[i] ?? Number.NaN))))).toBeLessThan(
        CLOSE * Math.sqrt(K),
      );
      expect(relativeError(got.rows, naive.matMul(naive.transposed(a), y))).toBeLessThan(CLOSE);
      expect(relativeError(got.outer, naive.matMul(y, naive.transposed(x)))).toBeLessThan(LAST_BITS);
      sameBits.expect(`vector ${[M, K]}`, got);
    });
  });

  describe('functions of single values', () => {
    const SIZES = [1, 7, 15, 16, 17, 100];

    it.each(SIZES)('sums, scalars and activations of %i values', async (size) => {
      const test = testGraph();
      const { graph } = test;
      const [a, b] = [test.input([size]), test.input([size])];
      const got = await test.run({
        sum: op.add(graph, a.tensor, b.tensor),
        less: op.subtract(graph, a.tensor, graph.scalar(1.5)),
        scaled: op.multiply(graph, a.tensor, graph.scalar(-0.75)),
        relu: op.relu(graph, a.tensor),
        leaky: op.leakyRelu(graph, a.tensor, 0.25),
        reluDx: op.reluGradient(graph, a.tensor, b.tensor),
        leakyDx: op.leakyReluGradient(graph, a.tensor, b.tensor, 0.25),
        tanhDx: op.tanhGradient(graph, a.tensor, b.tensor),
        same: a.tensor,
      });
      const of = (f: (a: number, b: number) => number) => [...a.values].map((x, i) => f(x, b.values[i] ?? Number.NaN));
      const exactly = (f: (a: number, b: number) => number) => of(f).map(Math.fround);
      expect(got.sum).toEqual(exactly((x, y) => x + y));
      expect(got.less).toEqual(exactly((x) => x - 1.5));
      expect(got.scaled).toEqual(exactly((x) => x * -0.75));
      expect(got.relu).toEqual(exactly((x) => Math.max(x, 0)));
      expect(got.leaky).toEqual(exactly((x) => (x > 0 ? x : x / 4)));
      expect(got.reluDx).toEqual(exactly((x, y) => (y > 0 ? x : 0)));
      expect(got.leakyDx).toEqual(exactly((x, y) => (y > 0 ? x : x / 4)));
      const tanhDx = of((y, dy) => (1 - y * y) * dy);
      expect(relativeError(got.tanhDx, tanhDx)).toBeLessThan(LAST_BITS);
      expect(got.same).toEqual([...a.values]);
      sameBits.expect(`single ${size}`, got);
    });

    it('tanh and sigmoid at every size of argument, at zeros, infinities and NaN', async () => {
      const special = [0, -0, 30, -30, 100, -100, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN];
      const signed = (value: number): number[] => [value, -value];
      // from 1e-6 to 100 in steps of half a percent, and both sides of where tanh changes its formula
      const sizes = Array.from({ length: 3700 }, (_, i) => 1e-6 * 1.005 ** i).filter((value) => value < 100);
      const values = [...special, ...[0.6249999, 0.625, 0.6250001, ...sizes].flatMap(signed)];
      const test = testGraph();
      const x = test.input([values.length], values);
      const got = await test.run({ t: op.tanh(test.graph, x.tensor), s: op.sigmoid(test.graph, x.tensor) });
      expect(got.t.slice(0, special.length)).toEqual([0, expect.closeTo(0, 40), 1, -1, 1, -1, 1, -1, Number.NaN]);
      const sigmoid = (value: number): number => 1 / (1 + Math.exp(-value));
      expect(got.s.slice(0, 3)).toEqual([0.5, 0.5, 1]);
      expect(got.s[3]).toBeCloseTo(sigmoid(-30), 18);
      expect(got.s.slice(4, special.length)).toEqual([1, 0, 1, 0, Number.NaN]);
      for (const [i, value] of x.values.entries()) {
        if (i < special.length) continue;
        const [t = Number.NaN, s = Number.NaN] = [got.t[i], got.s[i]];
        expect(Math.abs(t / Math.tanh(value) - 1), `tanh ${value}`).toBeLessThan(LAST_BITS);
        // float32 ends at 1e-38, sigmoid(-87.3)
        if (value < -87) expect(s, `sigmoid ${value}`).toBeLessThan(2e-38);
        else expect(Math.abs(s / sigmoid(value) - 1), `sigmoid ${value}`).toBeLessThan(LAST_BITS);
      }
      sameBits.expect('tanh, sigmoid', got);
    });

    it('numbers below the precision of float32 count as 0, within the kernels alone', async () => {
      const test = testGraph();
      const x = test.input([3], [1e-40, -1e-40, 2e-38]);
      const got = await test.run({ y: op.multiply(test.graph, x.tensor, test.graph.scalar(0.5)) });
      expect(got.y.map(Math.abs)).toEqual([0, 0, 0]); // the last of them becomes too small
      const [least = 0] = Float64Array.of(Number.MIN_VALUE);
      expect(least * 3).toBeGreaterThan(least * 2);
    });
  });

  describe('findOutside', () => {
    const { findOutside: find } = hasKernels ? loadedBinding() : { findOutside };
    const BAD = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    /** Those of 1, 2, 3 and 7 shards: powers of 2 and others, which float32 rounds up and down. */
    const LIMITS = [1, 2, 3, 7].map((shards) => exactLimit(shards * 2));

    it('gives the first bad value wherever it is, as the exact sum does', () => {
      const bad = fc.tuple(
        fc.nat(),
        fc.constantFrom<number | 'limit' | 'above' | 'below'>(...BAD, 'limit', 'above', 'below'),
        fc.boolean(),
      );
      const property = fc.property(
        ...[fc.integer({ min: 0, max: 100 }), fc.nat({ max: 15 }), fc.constantFrom(...LIMITS)],
        fc.array(bad, { maxLength: 3 }),
        (length, offset, limit, strikes) => {
          const values = new Float32Array(length + offset).subarray(offset).map((_, i) => Math.sin(i) * (limit - 1));
          const near = { limit, above: limit * (1 + 2 ** -23), below: limit * (1 - 2 ** -23) };
          for (const [at, what, isNegative] of strikes) {
            const value = typeof what === 'string' ? near[what] : what;
            if (length > 0) values[at % length] = isNegative ? -value : value;
          }
          const first = values.findIndex((value) => !(Math.abs(value) < limit));
          expect(find(values, limit)).toBe(first);
          expect(findOutside(values, limit)).toBe(first);
        },
      );
      fc.assert(property, { numRuns: 2000, seed: 1 });
    });
  });
});
