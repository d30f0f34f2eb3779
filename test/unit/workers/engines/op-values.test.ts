// Every operation of shared/model/ops.ts on every backend against its definition.
import { beforeAll, describe, expect, it } from 'vitest';
import * as op from '../../../../shared/model/ops.ts';
import { loadRunner } from '../../../../workers/engines/engines.ts';
import { kernelExecutor } from '../../../../workers/engines/kernels/executor.ts';
import type { ProgramRunner } from '../../../../workers/engines/program-runner.ts';
import { hasKernels, loadedBinding } from './kernels/loaded.ts';
import * as naive from './naive.ts';
import { relativeError, TestGraph } from './run-graph.ts';
import { withTensorflow } from './tensorflow/ready.ts';
import { withVulkan } from './tfjs/vulkan.ts';

/** float32 sums of up to 500 products of normal numbers. */
const CLOSE = 5e-6;

/** The kernels, and `rest` for what they do not compute: operations that the model has not, and sizes. */
function kernelsFirst(rest: ProgramRunner): ProgramRunner {
  const load: ProgramRunner['load'] = (program) => kernelExecutor(loadedBinding(), program) ?? rest.load(program);
  return { ...rest, load };
}

const BACKENDS = [
  ...withTensorflow(...(hasKernels ? ['cpu' as const] : []), 'tensorflow' as const),
  ...(['js', ...withVulkan('webgpu')] as const),
];

describe.each(BACKENDS)('%s', (backend) => {
  let engine: ProgramRunner;
  beforeAll(async () => {
    engine = backend === 'cpu' ? kernelsFirst(await loadRunner('tensorflow')) : await loadRunner(backend);
  });

  describe('convolutions', () => {
    const cases = [
      // As in the model, smaller: 3 pixels of padding around 28 -> 16, 1 around even sizes, 0 for the last layer.
      { padding: 3, x: [2, 28, 28, 1], filter: [4, 4, 1, 3], y: [2, 16, 16, 3] },
      { padding: 1, x: [2, 8, 6, 3], filter: [4, 4, 3, 5], y: [2, 4, 3, 5] },
      { padding: 0, x: [2, 4, 4, 5], filter: [4, 4, 5, 2], y: [2, 1, 1, 2] },
      // Where the portable executor takes another way: several channels with padding 3, and its products.
      { padding: 3, x: [1, 4, 6, 2], filter: [4, 4, 2, 3], y: [1, 4, 5, 3] },
      { padding: 1, x: [1, 8, 8, 32], filter: [4, 4, 32, 2], y: [1, 4, 4, 2] },
    ] as const;

    it.each(cases)('convolution of [$x] by [$filter], padding $padding', async ({ padding, x, filter, y }) => {
      const test = new TestGraph(engine);
      const [a, b] = [test.input(x), test.input(filter)];
      const { out } = await test.run({ out: op.convolution(test.graph, a.tensor, b.tensor, { stride: 2, padding }) });
      expect(relativeError(out, naive.convolution(a, b, padding, y).values)).toBeLessThan(CLOSE);
    });

    it.each(cases)(
      'transposed convolution of [$y] by [$filter], padding $padding',
      async ({ padding, x, filter, y }) => {
        const test = new TestGraph(engine);
        const [a, b] = [test.input(y), test.input(filter)];
        const { out } = await test.run({
          out: op.transposedConvolution(test.graph, a.tensor, b.tensor, { stride: 2, padding }, x),
        });
        expect(relativeError(out, naive.transposedConvolution(a, b, padding, x).values)).toBeLessThan(CLOSE);
      },
    );

    it.each(cases)('filter gradient of [$x] and [$y], padding $padding', async ({ padding, x, filter, y }) => {
      const test = new TestGraph(engine);
      const [a, b] = [test.input(x), test.input(y)];
      const { out } = await test.run({
        out: op.filterGradient(test.graph, a.tensor, b.tensor, { stride: 2, padding }, filter),
      });
      expect(relativeError(out, naive.filterGradient(a, b, padding, filter).values)).toBeLessThan(CLOSE);
    });
  });

  describe('BatchNorm', () => {
    const SHAPE = [3, 4, 2, 5];

    it('on the statistics of the batch: output, mean, unbiased variance', async () => {
      const test = new TestGraph(engine);
      const [x, scale, offset] = [test.input(SHAPE), test.input([5]), test.input([5])];
      const { y, mean, variance } = op.batchNorm(test.graph, x.tensor, scale.tensor, offset.tensor, 1e-5);
      const got = await test.run({ y, mean, variance });
      const expected = naive.batchNorm(x, scale.values, offset.values);
      expect(relativeError(got.y, expected.y)).toBeLessThan(CLOSE);
      expect(relativeError(got.mean, expected.mean)).toBeLessThan(CLOSE);
      expect(relativeError(got.variance, expected.variance)).toBeLessThan(CLOSE);
    });

    it('its gradients of input, scale and offset', async () => {
      const test = new TestGraph(engine);
      const [x, scale, offset, dy] = [test.input(SHAPE), test.input([5]), test.input([5]), test.input(SHAPE)];
      const norm = op.batchNorm(test.graph, x.tensor, scale.tensor, offset.tensor, 1e-5);
      const { dx, dScale, dOffset } = op.batchNormGradient(test.graph, norm, dy.tensor);
      const got = await test.run({ dx, dScale, dOffset });
      const expected = naive.batchNormGradient(x, scale.values, dy.values);
      expect(relativeError(got.dx, expected.dx)).toBeLessThan(CLOSE);
      expect(relativeError(got.dScale, expected.dScale)).toBeLessThan(CLOSE);
      expect(relativeError(got.dOffset, expected.dOffset)).toBeLessThan(CLOSE);
    });

    it('on given statistics, by hand', async () => {
      const test = new TestGraph(engine);
      const x = test.input([1, 1, 2, 2], [5, 1, -3, 2]).tensor;
      const vector = (...values: number[]) => test.input([2], values).tensor;
      // Channel 0: (x - 1) / sqrt(4) * 3 + 10; channel 1: (x - 1) / sqrt(0.25) * -1. Epsilon 1e-5 moves the last digits.
      const y = op.fixedBatchNorm(test.graph, x, [vector(3, -1), vector(10, 0), vector(1, 1), vector(4, 0.25)], 1e-5);
      const { out } = await test.run({ out: y });
      const expected = [16, 0, 4, -2];
      for (const [i, value] of expected.entries()) expect(out[i]).toBeCloseTo(value, 3);
      expect(out[3]).toBeCloseTo(-1 / Math.sqrt(0.25 + 1e-5), 6); // -1.99996, not -2
    });
  });

  describe('products and sums', () => {
    it.each([
      [false, false],
      [true, false],
      [false, true],
      [true, true],
    ])('matMul, transposed: %s, %s', async (transposeA, transposeB) => {
      const test = new TestGraph(engine);
      const a = test.input(transposeA ? [4, 3] : [3, 4]);
      const b = test.input(transposeB ? [5, 4] : [4, 5]);
      const { out } = await test.run({ out: op.matMul(test.graph, a.tensor, b.tensor, { transposeA, transposeB }) });
      const expected = naive.matMul(transposeA ? naive.transposed(a) : a, transposeB ? naive.transposed(b) : b);
      expect(relativeError(out, expected)).toBeLessThan(CLOSE);
    });

    it('addBias to the last axis, and the gradient of the bias', async () => {
      const test = new TestGraph(engine);
      const x = test.input([2, 1, 1, 3], [1, 2, 3, 4, 5, 6]).tensor;
      const bias = test.input([3], [10, 20, 30]).tensor;
      const got = await test.run({ y: op.addBias(test.graph, x, bias), gradient: op.biasGradient(test.graph, x) });
      expect(got).toEqual({ y: [11, 22, 33, 14, 25, 36], gradient: [5, 7, 9] });
    });

    it('add, subtract and multiply, also by a scalar', async () => {
      const test = new TestGraph(engine);
      const a = test.input([3], [1, 2, -3]).tensor;
      const b = test.input([3], [0.5, -1, 4]).tensor;
      const two = test.graph.scalar(2);
      expect(
        await test.run({
          sum: op.add(test.graph, a, b),
          difference: op.subtract(test.graph, a, b),
          product: op.multiply(test.graph, a, b),
          plusTwo: op.add(test.graph, a, two),
          minusTwo: op.subtract(test.graph, a, two),
          timesTwo: op.multiply(test.graph, a, two),
        }),
      ).toEqual({
        sum: [1.5, 1, 1],
        difference: [0.5, 3, -7],
        product: [0.5, -2, -12],
        plusTwo: [3, 4, -1],
        minusTwo: [-1, 0, -5],
        timesTwo: [2, 4, -6],
      });
    });

    it('reshape keeps the order of values', async () => {
      const test = new TestGraph(engine);
      const x = test.input([2, 3], [1, 2, 3, 4, 5, 6]).tensor;
      const flat = op.reshape(test.graph, x, [6]);
      const bias = test.input([2], [10, 20]).tensor;
      // As [3, 2] the values lie in rows of two.
      const rows = op.addBias(test.graph, op.reshape(test.graph, x, [3, 2]), bias);
      expect(await test.run({ flat, rows })).toEqual({ flat: [1, 2, 3, 4, 5, 6], rows: [11, 22, 13, 24, 15, 26] });
    });
  });

  describe('activations', () => {
    const X = [-2, -0.5, 0, 0.5, 2];
    const DY = [1, 2, 3, 4, 5];

    it('relu and leakyRelu with their gradients from the output', async () => {
      const test = new TestGraph(engine);
      const [x, dy] = [test.input([5], X).tensor, test.input([5], DY).tensor];
      const y = op.relu(test.graph, x);
      const leaky = op.leakyRelu(test.graph, x, 0.25);
      const got = await test.run({
        y,
        dx: op.reluGradient(test.graph, dy, y),
        leaky,
        leakyDx: op.leakyReluGradient(test.graph, dy, leaky, 0.25),
      });
      expect(got).toEqual({
        y: [0, 0, 0, 0.5, 2],
        dx: [0, 0, 0, 4, 5],
        leaky: [-0.5, -0.125, 0, 0.5, 2],
        leakyDx: [0.25, 0.5, 0.75, 4, 5], // at 0 TensorFlow takes the slope
      });
    });

    it('tanh with its gradient (1 - y^2) dy, and sigmoid', async () => {
      const test = new TestGraph(engine);
      const [x, dy] = [test.input([5], X).tensor, test.input([5], DY).tensor];
      const y = op.tanh(test.graph, x);
      const got = await test.run({ y, dx: op.tanhGradient(test.graph, y, dy), s: op.sigmoid(test.graph, x) });
      expect(relativeError(got.y, X.map(Math.tanh))).toBeLessThan(1e-6);
      expect(
        relativeError(
          got.dx,
          X.map((value, i) => (1 - Math.tanh(value) ** 2) * (DY[i] ?? 0)),
        ),
      ).toBeLessThan(1e-6);
      expect(
        relativeError(
          got.s,
          X.map((value) => 1 / (1 + Math.exp(-value))),
        ),
      ).toBeLessThan(1e-6);
    });
  });
});
