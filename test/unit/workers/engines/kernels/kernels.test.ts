// Every kernel of workers/engines/kernels/kernels.h but those of convolutions and norms, which have files of their own, against its
// definition in float64, with every instruction set of this processor; and all sets against the first, bit by bit.
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { exactLimit, findOutside } from '../../../../../shared/exact-sum.ts';
import * as op from '../../../../../shared/model/ops.ts';
import * as naive from '../naive.ts';
import { relativeError, TestGraph } from '../run-graph.ts';
import { hasKernels, ISAS, kernelsRunner, loadedBinding, useIsa } from './loaded.ts';
import { ACTIVATIONS, activated, CLOSE, LAST_BITS, sameBits } from './references.ts';

describe.skipIf(!hasKernels).each(ISAS)('%s', (isa) => {
  beforeAll(() => useIsa(isa));

  const testGraph = () => new TestGraph(kernelsRunner());

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
      const least = expect.closeTo(6.05e-39, 40); // e^x ends at x = 88
      expect(got.s.slice(4, special.length)).toEqual([1, least, 1, least, Number.NaN]);
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

    it('numbers below the normal range of float32 keep their digits: nothing is flushed to 0', async () => {
      const test = testGraph();
      const x = test.input([4], [1e-40, -1e-40, 2e-38, 2 ** -149]);
      const got = await test.run({ y: op.multiply(test.graph, x.tensor, test.graph.scalar(0.5)) });
      expect(got.y).toEqual([...x.values].map((value) => Math.fround(value * 0.5)));
      expect(got.y.map((value) => value !== 0)).toEqual([true, true, true, false]);
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
