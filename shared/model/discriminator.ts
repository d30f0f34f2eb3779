// The discriminator, forward and backward. Suffixes: B batch, H height, W width, C channels.
// images_BHWC -> Conv 16 -> Conv 32 + BatchNorm -> Conv 64 + BatchNorm, LeakyReLU .2 between -> Conv 1: a logit an image.
// The biases of the two convolutions before a BatchNorm cancel out of the forward pass; only the reported means carry them.

import type { Graph, Tensor } from './graph.ts';
import type { BatchNorm } from './ops.ts';
import * as op from './ops.ts';
import type { NormStatistics, Weights } from './weights.ts';

const SLOPE = 0.2;
const FLAT = 4 * 4 * 64;

/** Everything the backward pass needs of a forward pass. */
export interface DiscriminatorPass {
  readonly images_BHWC: Tensor;
  readonly active1: Tensor;
  readonly norm2: BatchNorm;
  readonly active2: Tensor;
  readonly norm3: BatchNorm;
  readonly active3: Tensor;
  readonly flat3: Tensor;
  /** [B, 1]. */
  readonly logits: Tensor;
  readonly statistics: readonly NormStatistics[];
}

/** Forward on batch statistics. */
export function discriminate(graph: Graph, weights: Weights, images_BHWC: Tensor): DiscriminatorPass {
  const batch = images_BHWC.shape[0] ?? 0;
  const norm = (x: Tensor, layer: string): BatchNorm =>
    op.batchNorm(graph, x, weights(`${layer}.weight`), weights(`${layer}.bias`));

  const hidden1 = op.addBias(
    graph,
    op.convolution(graph, images_BHWC, weights('main.0.weight'), 3),
    weights('main.0.bias'),
  );
  const active1 = op.leakyRelu(graph, hidden1, SLOPE);
  const norm2 = norm(op.convolution(graph, active1, weights('main.2.weight'), 1), 'main.3');
  const active2 = op.leakyRelu(graph, norm2.y, SLOPE);
  const norm3 = norm(op.convolution(graph, active2, weights('main.5.weight'), 1), 'main.6');
  const active3 = op.leakyRelu(graph, norm3.y, SLOPE);
  const flat3 = op.reshape(graph, active3, [batch, FLAT]);
  const logits = op.addBias(graph, op.matMul(graph, flat3, weights('main.8.weight')), weights('main.8.bias'));
  const statistics = [
    { name: 'main.3', mean: op.add(graph, norm2.mean, weights('main.2.bias')), variance: norm2.variance },
    { name: 'main.6', mean: op.add(graph, norm3.mean, weights('main.5.bias')), variance: norm3.variance },
  ];
  return { images_BHWC, active1, norm2, active2, norm3, active3, flat3, logits, statistics };
}

/** Gradients at the outputs of the three hidden convolutions, and of both BatchNorms' parameters. */
interface Backward {
  readonly dHidden1: Tensor;
  readonly norm2: ReturnType<typeof op.batchNormGradient>;
  readonly norm3: ReturnType<typeof op.batchNormGradient>;
}

function backward(graph: Graph, weights: Weights, pass: DiscriminatorPass, dLogits: Tensor): Backward {
  const dFlat3 = op.matMul(graph, dLogits, weights('main.8.weight'), { transposeB: true });
  const dActive3 = op.reshape(graph, dFlat3, pass.active3.shape);
  const norm3 = op.batchNormGradient(graph, pass.norm3, op.leakyReluGradient(graph, dActive3, pass.active3, SLOPE));
  const dActive2 = op.transposedConvolution(graph, norm3.dx, weights('main.5.weight'), 1, pass.active2.shape);
  const norm2 = op.batchNormGradient(graph, pass.norm2, op.leakyReluGradient(graph, dActive2, pass.active2, SLOPE));
  const dActive1 = op.transposedConvolution(graph, norm2.dx, weights('main.2.weight'), 1, pass.active1.shape);
  return { dHidden1: op.leakyReluGradient(graph, dActive1, pass.active1, SLOPE), norm2, norm3 };
}

/** Gradient of every trained parameter, under its name, from the gradient of the logits [B, 1]. */
export function discriminatorGradients(
  graph: Graph,
  weights: Weights,
  pass: DiscriminatorPass,
  dLogits: Tensor,
): Record<string, Tensor> {
  const { dHidden1, norm2, norm3 } = backward(graph, weights, pass, dLogits);
  const filter = (name: string, x: Tensor, dy: Tensor, padding: op.Padding): Tensor =>
    op.filterGradient(graph, x, dy, padding, weights(name).shape);
  return {
    'main.0.weight': filter('main.0.weight', pass.images_BHWC, dHidden1, 3),
    'main.0.bias': op.biasGradient(graph, dHidden1),
    'main.2.weight': filter('main.2.weight', pass.active1, norm2.dx, 1),
    'main.3.weight': norm2.dScale,
    'main.3.bias': norm2.dOffset,
    'main.5.weight': filter('main.5.weight', pass.active2, norm3.dx, 1),
    'main.6.weight': norm3.dScale,
    'main.6.bias': norm3.dOffset,
    'main.8.weight': op.matMul(graph, pass.flat3, dLogits, { transposeA: true }),
    'main.8.bias': op.biasGradient(graph, dLogits),
  };
}

/** Gradient of the images [B, 28, 28, 1] from the gradient of the logits: what the generator learns from. */
export function imageGradient(graph: Graph, weights: Weights, pass: DiscriminatorPass, dLogits: Tensor): Tensor {
  const { dHidden1 } = backward(graph, weights, pass, dLogits);
  return op.transposedConvolution(graph, dHidden1, weights('main.0.weight'), 3, pass.images_BHWC.shape);
}
