// The generator, forward and backward. Suffixes: B batch, Z latent, H height, W width, C channels.
// z_BZ -> ConvT 128 -> ConvT 64 -> ConvT 32 -> ConvT 1 with BatchNorm and ReLU between, tanh out: Radford et al. 2015.

import type { Graph, Tensor } from './graph.ts';
import type { BatchNorm } from './ops.ts';
import * as op from './ops.ts';
import type { NormStatistics, Weights } from './weights.ts';

/** Channels of the first layer's output, which is 4 x 4 pixels. */
const FIRST = [4, 4, 128] as const;

/** Everything the backward pass needs of a forward pass. */
export interface GeneratorPass {
  readonly z_BZ: Tensor;
  readonly norm1: BatchNorm;
  readonly norm2: BatchNorm;
  readonly norm3: BatchNorm;
  readonly active1: Tensor;
  readonly active2: Tensor;
  readonly active3: Tensor;
  /** Images in [-1, 1], [B, 28, 28, 1]. */
  readonly images_BHWC: Tensor;
  readonly statistics: readonly NormStatistics[];
}

/** Forward on batch statistics. */
export function generate(graph: Graph, weights: Weights, z_BZ: Tensor): GeneratorPass {
  const batch = z_BZ.shape[0] ?? 0;
  const norm = (x: Tensor, layer: string): BatchNorm =>
    op.batchNorm(graph, x, weights(`${layer}.weight`), weights(`${layer}.bias`));

  const hidden1 = op.reshape(graph, op.matMul(graph, z_BZ, weights('main.0.weight')), [batch, ...FIRST]);
  const norm1 = norm(hidden1, 'main.1');
  const active1 = op.relu(graph, norm1.y);
  const hidden2 = op.transposedConvolution(graph, active1, weights('main.3.weight'), 1, [batch, 8, 8, 64]);
  const norm2 = norm(hidden2, 'main.4');
  const active2 = op.relu(graph, norm2.y);
  const hidden3 = op.transposedConvolution(graph, active2, weights('main.6.weight'), 1, [batch, 16, 16, 32]);
  const norm3 = norm(hidden3, 'main.7');
  const active3 = op.relu(graph, norm3.y);
  const hidden4 = op.transposedConvolution(graph, active3, weights('main.9.weight'), 3, [batch, 28, 28, 1]);
  const images_BHWC = op.tanh(graph, hidden4);
  const statistics = [
    { name: 'main.1', mean: norm1.mean, variance: norm1.variance },
    { name: 'main.4', mean: norm2.mean, variance: norm2.variance },
    { name: 'main.7', mean: norm3.mean, variance: norm3.variance },
  ];
  return { z_BZ, norm1, norm2, norm3, active1, active2, active3, images_BHWC, statistics };
}

/** Gradient of every parameter, under its name, from the gradient of the images. */
export function generatorGradients(
  graph: Graph,
  weights: Weights,
  pass: GeneratorPass,
  dImages_BHWC: Tensor,
): Record<string, Tensor> {
  const w2 = weights('main.3.weight');
  const w3 = weights('main.6.weight');
  const w4 = weights('main.9.weight');
  const throughNorm = (dActive: Tensor, active: Tensor, norm: BatchNorm) =>
    op.batchNormGradient(graph, norm, op.reluGradient(graph, dActive, active));

  // The gradient of a transposed convolution by its input is the convolution, by its filter the filter gradient with the
  // roles of input and output exchanged.
  const dHidden4 = op.tanhGradient(graph, pass.images_BHWC, dImages_BHWC);
  const norm3 = throughNorm(op.convolution(graph, dHidden4, w4, 3), pass.active3, pass.norm3);
  const norm2 = throughNorm(op.convolution(graph, norm3.dx, w3, 1), pass.active2, pass.norm2);
  const norm1 = throughNorm(op.convolution(graph, norm2.dx, w2, 1), pass.active1, pass.norm1);
  const batch = pass.z_BZ.shape[0] ?? 0;
  const dHidden1 = op.reshape(graph, norm1.dx, [batch, FIRST[0] * FIRST[1] * FIRST[2]]);
  return {
    'main.0.weight': op.matMul(graph, pass.z_BZ, dHidden1, { transposeA: true }),
    'main.1.weight': norm1.dScale,
    'main.1.bias': norm1.dOffset,
    'main.3.weight': op.filterGradient(graph, norm2.dx, pass.active1, 1, w2.shape),
    'main.4.weight': norm2.dScale,
    'main.4.bias': norm2.dOffset,
    'main.6.weight': op.filterGradient(graph, norm3.dx, pass.active2, 1, w3.shape),
    'main.7.weight': norm3.dScale,
    'main.7.bias': norm3.dOffset,
    'main.9.weight': op.filterGradient(graph, dHidden4, pass.active3, 3, w4.shape),
  };
}

/** Running mean and variance of the BatchNorm layer `name`. */
export type RunningStatistics = (name: string) => readonly [mean: Tensor, variance: Tensor];

/** Images [B, 28, 28, 1] on running statistics, as at evaluation. */
export function generateFixed(graph: Graph, weights: Weights, z_BZ: Tensor, running: RunningStatistics): Tensor {
  const batch = z_BZ.shape[0] ?? 0;
  const active = (x: Tensor, layer: string): Tensor => {
    const parameters = [weights(`${layer}.weight`), weights(`${layer}.bias`), ...running(layer)] as const;
    return op.relu(graph, op.fixedBatchNorm(graph, x, parameters));
  };
  const hidden1 = op.reshape(graph, op.matMul(graph, z_BZ, weights('main.0.weight')), [batch, ...FIRST]);
  const active1 = active(hidden1, 'main.1');
  const hidden2 = op.transposedConvolution(graph, active1, weights('main.3.weight'), 1, [batch, 8, 8, 64]);
  const active2 = active(hidden2, 'main.4');
  const hidden3 = op.transposedConvolution(graph, active2, weights('main.6.weight'), 1, [batch, 16, 16, 32]);
  const active3 = active(hidden3, 'main.7');
  return op.tanh(graph, op.transposedConvolution(graph, active3, weights('main.9.weight'), 3, [batch, 28, 28, 1]));
}
