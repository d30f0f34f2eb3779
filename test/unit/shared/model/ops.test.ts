import { describe, expect, it } from 'vitest';
import { GanglionError } from '../../../../shared/error.ts';
import { Graph, type Shape, type Tensor } from '../../../../shared/model/graph.ts';
import * as op from '../../../../shared/model/ops.ts';

const graph = new Graph();
const t = (...shape: number[]): Tensor => graph.placeholder(`p${graph.nodes.length}`, shape);

/** The message of the GanglionError `shape` that `action` throws. */
function refusal(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof GanglionError && error.code === 'shape') return error.message;
    throw error;
  }
  throw new Error('expected a GanglionError');
}

describe('shapes', () => {
  it.each<[string, Tensor, Shape]>([
    ['add', op.add(graph, t(2, 3), t(2, 3)), [2, 3]],
    ['add of a scalar', op.add(graph, t(2, 3), t()), [2, 3]],
    ['subtract', op.subtract(graph, t(4), t(4)), [4]],
    ['multiply', op.multiply(graph, t(4, 1), t()), [4, 1]],
    ['tanh', op.tanh(graph, t(2, 3)), [2, 3]],
    ['sigmoid', op.sigmoid(graph, t(2, 3)), [2, 3]],
    ['relu', op.relu(graph, t(2, 3)), [2, 3]],
    ['leakyRelu', op.leakyRelu(graph, t(2, 3), 0.2), [2, 3]],
    ['tanhGradient', op.tanhGradient(graph, t(2, 3), t(2, 3)), [2, 3]],
    ['reluGradient', op.reluGradient(graph, t(2, 3), t(2, 3)), [2, 3]],
    ['leakyReluGradient', op.leakyReluGradient(graph, t(2, 3), t(2, 3), 0.2), [2, 3]],
    ['reshape', op.reshape(graph, t(2, 12), [2, 3, 4]), [2, 3, 4]],
    ['matMul', op.matMul(graph, t(2, 3), t(3, 5)), [2, 5]],
    ['matMul of A transposed', op.matMul(graph, t(3, 2), t(3, 5), { transposeA: true }), [2, 5]],
    ['matMul of B transposed', op.matMul(graph, t(2, 3), t(5, 3), { transposeB: true }), [2, 5]],
    // (28 + 2 * 3 - 4) / 2 + 1 = 16; (16 + 2 - 4) / 2 + 1 = 8; (4 - 4) / 2 + 1 = 1; (8 + 2 - 4) / 2 + 1 = 4
    [
      'convolution, padding 3',
      op.convolution(graph, t(5, 28, 28, 1), t(4, 4, 1, 16), { stride: 2, padding: 3 }),
      [5, 16, 16, 16],
    ],
    [
      'convolution, padding 1',
      op.convolution(graph, t(5, 16, 8, 3), t(4, 4, 3, 7), { stride: 2, padding: 1 }),
      [5, 8, 4, 7],
    ],
    [
      'convolution, padding 0',
      op.convolution(graph, t(5, 4, 4, 3), t(4, 4, 3, 1), { stride: 2, padding: 0 }),
      [5, 1, 1, 1],
    ],
    // (8 + 2 - 3) / 1 + 1 = 8, (10 + 2 - 5) / 1 + 1 = 8; (9 + 2 - 5) / 3 + 1 = 3
    [
      'convolution of 3 x 5 pixels, one apart',
      op.convolution(graph, t(5, 8, 10, 3), t(3, 5, 3, 7), { stride: 1, padding: 1 }),
      [5, 8, 8, 7],
    ],
    [
      'transposedConvolution of 5 x 5 pixels, three apart',
      op.transposedConvolution(graph, t(5, 3, 3, 7), t(5, 5, 2, 7), { stride: 3, padding: 1 }, [5, 9, 9, 2]),
      [5, 9, 9, 2],
    ],
    [
      'transposedConvolution, padding 3',
      op.transposedConvolution(graph, t(5, 16, 16, 32), t(4, 4, 1, 32), { stride: 2, padding: 3 }, [5, 28, 28, 1]),
      [5, 28, 28, 1],
    ],
    [
      'transposedConvolution, padding 1',
      op.transposedConvolution(graph, t(5, 4, 4, 128), t(4, 4, 64, 128), { stride: 2, padding: 1 }, [5, 8, 8, 64]),
      [5, 8, 8, 64],
    ],
    [
      'filterGradient',
      op.filterGradient(graph, t(5, 16, 16, 3), t(5, 8, 8, 7), { stride: 2, padding: 1 }, [4, 4, 3, 7]),
      [4, 4, 3, 7],
    ],
    ['addBias', op.addBias(graph, t(5, 8, 8, 7), t(7)), [5, 8, 8, 7]],
    ['addBias of a matrix', op.addBias(graph, t(5, 1), t(1)), [5, 1]],
    ['biasGradient', op.biasGradient(graph, t(5, 8, 8, 7)), [7]],
  ])('%s', (_, { shape, dtype, output }, expected) => {
    expect(shape).toEqual(expected);
    expect({ dtype, output }).toEqual({ dtype: 'float32', output: 0 });
  });

  it('batchNorm and its gradient', () => {
    const norm = op.batchNorm(graph, t(5, 8, 8, 7), t(7), t(7), 1e-5);
    expect([norm.y.shape, norm.mean.shape, norm.variance.shape]).toEqual([[5, 8, 8, 7], [7], [7]]);
    expect([norm.y, norm.mean, norm.variance, ...norm.reserved].map(({ output }) => output)).toEqual([
      0, 1, 2, 3, 4, 5,
    ]);
    const { dx, dScale, dOffset } = op.batchNormGradient(graph, norm, t(5, 8, 8, 7));
    expect([dx.shape, dScale.shape, dOffset.shape]).toEqual([[5, 8, 8, 7], [7], [7]]);
    expect([dx.output, dScale.output, dOffset.output]).toEqual([0, 1, 2]);
    const fixed = op.fixedBatchNorm(graph, t(5, 8, 8, 7), [t(7), t(7), t(7), t(7)], 1e-5);
    expect(fixed.shape).toEqual([5, 8, 8, 7]);
  });
});

describe('refusals', () => {
  const two = 'two equal shapes or a scalar second';
  it.each<[string, () => unknown, string]>([
    ['add', () => op.add(graph, t(2, 3), t(3, 2)), `AddV2 expected ${two}, got [2,3], [3,2]`],
    ['add: no broadcast', () => op.add(graph, t(2, 3), t(3)), `AddV2 expected ${two}, got [2,3], [3]`],
    ['add: scalar first', () => op.add(graph, t(), t(3)), `AddV2 expected ${two}, got [], [3]`],
    ['subtract', () => op.subtract(graph, t(2), t(2, 1)), `Sub expected ${two}, got [2], [2,1]`],
    ['multiply', () => op.multiply(graph, t(2), t(3)), `Mul expected ${two}, got [2], [3]`],
    ['tanhGradient', () => op.tanhGradient(graph, t(2), t(3)), `TanhGrad expected ${two}, got [2], [3]`],
    ['reluGradient', () => op.reluGradient(graph, t(2), t(3)), `ReluGrad expected ${two}, got [2], [3]`],
    [
      'leakyReluGradient',
      () => op.leakyReluGradient(graph, t(2), t(3), 0.2),
      `LeakyReluGrad expected ${two}, got [2], [3]`,
    ],
    ['reshape', () => op.reshape(graph, t(2, 3), [7]), 'Reshape expected 7 values for shape [7], got [2,3]'],
    ...(
      [
        ['inner sizes', t(2, 3), t(4, 5), {}],
        ['A transposed', t(2, 3), t(3, 5), { transposeA: true }],
        ['B transposed', t(2, 3), t(3, 5), { transposeB: true }],
        ['no matrix', t(2, 3, 1), t(3, 5), {}],
      ] as const
    ).map(([name, a, b, options]): [string, () => unknown, string] => [
      `matMul: ${name}`,
      () => op.matMul(graph, a, b, options),
      `MatMul expected two matrices with an equal inner size, got [${a.shape}], [${b.shape}]`,
    ]),
    ...(
      [
        ['channels', [5, 8, 8, 3], [4, 4, 2, 7]],
        ['a filter of rank 3', [5, 8, 8, 3], [4, 4, 3]],
      ] as const
    ).map(([name, input, filter]): [string, () => unknown, string] => [
      `convolution: ${name}`,
      () => op.convolution(graph, t(...input), t(...filter), { stride: 2, padding: 1 }),
      `Conv2D expected a filter [height, width, 3, out] for an input of [5,8,8,3], got [${filter}]`,
    ]),
    [
      'convolution: an input of rank 3',
      () => op.convolution(graph, t(8, 8, 3), t(4, 4, 3, 7), { stride: 2, padding: 1 }),
      'Conv2D expected a filter [height, width, undefined, out] for an input of [8,8,3], got [4,4,3,7]',
    ],
    [
      'transposedConvolution: another size',
      () => op.transposedConvolution(graph, t(5, 4, 4, 7), t(4, 4, 3, 7), { stride: 2, padding: 1 }, [5, 16, 16, 3]),
      'Conv2DBackpropInput expected [5,8,8,7] to reach [5,16,16,3], got [5,4,4,7]',
    ],
    [
      'transposedConvolution: another batch',
      () => op.transposedConvolution(graph, t(4, 8, 8, 7), t(4, 4, 3, 7), { stride: 2, padding: 1 }, [5, 16, 16, 3]),
      'Conv2DBackpropInput expected [5,8,8,7] to reach [5,16,16,3], got [4,8,8,7]',
    ],
    [
      'filterGradient: another size',
      () => op.filterGradient(graph, t(5, 16, 16, 3), t(5, 4, 4, 7), { stride: 2, padding: 1 }, [4, 4, 3, 7]),
      'Conv2DBackpropFilter expected [5,8,8,7] for [5,16,16,3] by [4,4,3,7], got [5,4,4,7]',
    ],
    [
      'filterGradient: channels',
      () => op.filterGradient(graph, t(5, 16, 16, 3), t(5, 8, 8, 7), { stride: 2, padding: 1 }, [4, 4, 2, 7]),
      'Conv2DBackpropFilter expected a filter [height, width, 3, out] for an input of [5,16,16,3], got [4,4,2,7]',
    ],
    ['addBias: size', () => op.addBias(graph, t(5, 8, 8, 7), t(6)), 'BiasAdd expected a bias [7], got [6]'],
    ['addBias: rank', () => op.addBias(graph, t(5, 7), t(1, 7)), 'BiasAdd expected a bias [7], got [1,7]'],
    [
      'batchNorm: rank',
      () => op.batchNorm(graph, t(5, 7), t(7), t(7), 1e-5),
      'FusedBatchNormV3 expected an input [B, H, W, C], got [5,7]',
    ],
    [
      'batchNorm: offset',
      () => op.batchNorm(graph, t(5, 8, 8, 7), t(7), t(8), 1e-5),
      'FusedBatchNormV3 expected vectors [7], got [8]',
    ],
    [
      'fixedBatchNorm: variance',
      () => op.fixedBatchNorm(graph, t(5, 8, 8, 7), [t(7), t(7), t(7), t(7, 1)], 1e-5),
      'FusedBatchNormV3 expected vectors [7], got [7,1]',
    ],
    [
      'batchNormGradient',
      () => op.batchNormGradient(graph, op.batchNorm(graph, t(5, 8, 8, 7), t(7), t(7), 1e-5), t(5, 8, 8, 6)),
      'FusedBatchNormGradV3 expected [5,8,8,7], got [5,8,8,6]',
    ],
  ])('%s', (_, action, message) => {
    expect(refusal(action)).toBe(message);
  });

  // "SAME" pads odd sizes otherwise: TensorFlow would give ceil(7 / 2) = 4 pixels where the shape says 3.
  it('convolution: padding 1 for odd sizes', () => {
    expect(refusal(() => op.convolution(graph, t(5, 7, 8, 3), t(4, 4, 3, 2), { stride: 2, padding: 1 }))).toMatch(
      /^Conv2D expected .*evenly/,
    );
    expect(refusal(() => op.convolution(graph, t(5, 8, 7, 3), t(4, 4, 3, 2), { stride: 2, padding: 1 }))).toMatch(
      /^Conv2D expected .*evenly/,
    );
  });

  it('convolution: an input smaller than the kernel', () => {
    expect(refusal(() => op.convolution(graph, t(5, 3, 8, 3), t(4, 4, 3, 2), { stride: 2, padding: 0 }))).toMatch(
      /^Conv2D expected/,
    );
    expect(refusal(() => op.convolution(graph, t(5, 8, 1, 3), t(4, 4, 3, 2), { stride: 2, padding: 0 }))).toMatch(
      /^Conv2D expected/,
    );
  });

  // TensorFlow: "Input tensor must be at least 2D", at the first run.
  it('addBias and biasGradient: a vector', () => {
    expect(refusal(() => op.addBias(graph, t(7), t(7)))).toMatch(/^BiasAdd expected/);
    expect(refusal(() => op.biasGradient(graph, t(7)))).toMatch(/^BiasAddGrad expected/);
  });
});
