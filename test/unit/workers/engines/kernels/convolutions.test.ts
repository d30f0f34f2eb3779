// The kernels of convolutions against their definitions in float64, with every instruction set of this processor; and all sets against the
// first, bit by bit.
import { beforeAll, describe, expect, it } from 'vitest';
import * as op from '../../../../../shared/model/ops.ts';
import * as naive from '../naive.ts';
import { relativeError, TestGraph } from '../run-graph.ts';
import { hasKernels, ISAS, kernelsRunner, useIsa } from './loaded.ts';
import { CLOSE, once, sameBits } from './references.ts';

/** Sizes of findConvolutionKernel: side and channels of the larger images, channels of the smaller ones. */
const CONVOLUTIONS = [
  [28, 1, 16],
  [28, 1, 32],
  [16, 16, 32],
  [16, 32, 64],
  [8, 32, 64],
  [8, 64, 128],
  [28, 3, 16],
  [32, 1, 48],
  [64, 3, 16],
  [32, 16, 16],
  [8, 272, 16],
] as const;
/**
 * One image, some, and more than one group of images that are computed together, with one left over. Gradients of filters take
 * groups of 8 images of 16 x 16 and of 32 of 8 x 8: winograd.h.
 */
const batchesOf = (side: number, inner: number): number[] =>
  isSmall(side, inner) ? [1, 3, side === 16 ? 5 : 17] : [2];
const filterBatchesOf = (side: number, inner: number): number[] =>
  isSmall(side, inner) ? [1, 3, side === 8 ? 33 : 17] : [3];
/** Whether the naive reference takes little time. */
const isSmall = (side: number, inner: number): boolean => side * side * inner <= 8192;

describe.skipIf(!hasKernels).each(ISAS)('%s', (isa) => {
  beforeAll(() => useIsa(isa));

  const testGraph = () => new TestGraph(kernelsRunner());

  describe.each(CONVOLUTIONS)('convolutions of %i x %i x %i', (side, inner, outer) => {
    const padding = side === 28 ? 3 : 1;
    const half = side === 28 ? 16 : side / 2;
    const filter = [4, 4, inner, outer];
    const shapes = (batch: number) => ({ large: [batch, side, side, inner], small: [batch, half, half, outer] });
    const name = (kind: string, batch: number) => `${kind} ${[side, inner, outer, batch]}`;

    it.each(batchesOf(side, inner))('forward, %i images', async (batch) => {
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

    it.each(batchesOf(side, inner))('the gradient of the input, %i images', async (batch) => {
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

    it.each(filterBatchesOf(side, inner))('the gradient of the filter, %i images', async (batch) => {
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
});
