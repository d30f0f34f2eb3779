// The kernels of BatchNorm against their definitions in float64, with every instruction set of this processor; and all sets against the
// first, bit by bit.
import { beforeAll, describe, expect, it } from 'vitest';
import * as op from '../../../../../shared/model/ops.ts';
import * as naive from '../naive.ts';
import { relativeError, TestGraph } from '../run-graph.ts';
import { hasKernels, ISAS, kernelsRunner, useIsa } from './loaded.ts';
import { ACTIVATIONS, activated, CLOSE, once, sameBits } from './references.ts';

describe.skipIf(!hasKernels).each(ISAS)('%s', (isa) => {
  beforeAll(() => useIsa(isa));

  const testGraph = () => new TestGraph(kernelsRunner());

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
});
