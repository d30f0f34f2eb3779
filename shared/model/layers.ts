// A stack of layers as operations, forward and backward. Suffixes: B batch, H height, W width, C channels. Images are [B, H, W, C];
// the one-pixel side of a layer that is a product of matrices is a vector, [B, C].

import type { Graph, Tensor } from './graph.ts';
import type { BatchNorm } from './ops.ts';
import * as op from './ops.ts';
import { sizeOf } from './shape.ts';
import type { Activation, PlacedLayer } from './spec.ts';
import type { NormStatistics, Weights } from './weights.ts';

/** The forward pass of a layer, as far as its backward pass needs it. */
export interface LayerPass {
  readonly layer: PlacedLayer;
  /** What the filter meets: the input, as a matrix for a product. */
  readonly x: Tensor;
  readonly norm: BatchNorm | undefined;
  readonly y: Tensor;
}

/** Forward through all layers, with BatchNorm on the statistics of the batch. */
export function forward(
  graph: Graph,
  weights: Weights,
  layers: readonly PlacedLayer[],
  input: Tensor,
  epsilon: number,
): LayerPass[] {
  let y = input;
  return layers.map((layer) => {
    const { normName, activation } = layer;
    const x = operandOf(graph, layer, y);
    const hidden = convolve(graph, weights, layer, x);
    const norm =
      normName === undefined
        ? undefined
        : op.batchNorm(graph, hidden, weights(`${normName}.weight`), weights(`${normName}.bias`), epsilon);
    y = activate(graph, activation, norm?.y ?? hidden);
    return { layer, x, norm, y };
  });
}

/** Running mean and variance of the BatchNorm layer `name`. */
export type RunningStatistics = (name: string) => readonly [mean: Tensor, variance: Tensor];

/** Forward through all layers, with BatchNorm on running statistics, as at evaluation. @returns the last layer's output */
export function forwardFixed(
  graph: Graph,
  weights: Weights,
  layers: readonly PlacedLayer[],
  input: Tensor,
  epsilon: number,
  running: RunningStatistics,
): Tensor {
  let y = input;
  for (const layer of layers) {
    const { name, normName, activation, bias } = layer;
    let hidden = convolve(graph, weights, layer, operandOf(graph, layer, y));
    if (normName !== undefined) {
      // The running mean includes the bias.
      if (bias) hidden = op.addBias(graph, hidden, weights(`${name}.bias`));
      const parameters = [weights(`${normName}.weight`), weights(`${normName}.bias`), ...running(normName)] as const;
      hidden = op.fixedBatchNorm(graph, hidden, parameters, epsilon);
    }
    y = activate(graph, activation, hidden);
  }
  return y;
}

/** Statistics of the batch in every BatchNorm. A bias before it cancels out of its output; only the reported mean carries it. */
export function statisticsOf(graph: Graph, weights: Weights, passes: readonly LayerPass[]): NormStatistics[] {
  return passes.flatMap(({ layer: { name, normName, bias }, norm }) => {
    if (normName === undefined || !norm) return [];
    const mean = bias ? op.add(graph, norm.mean, weights(`${name}.bias`)) : norm.mean;
    return [{ name: normName, mean, variance: norm.variance }];
  });
}

/** Gradients at a layer's convolution, and of its BatchNorm's parameters. */
export interface LayerGradient {
  readonly pass: LayerPass;
  /** By the convolution's output. */
  readonly dHidden: Tensor;
  readonly norm: ReturnType<typeof op.batchNormGradient> | undefined;
}

/**
 * Backward through all layers.
 *
 * @param dOutput gradient of the last layer's output
 * @returns the gradients in the order of the layers
 */
export function backward(
  graph: Graph,
  weights: Weights,
  passes: readonly LayerPass[],
  dOutput: Tensor,
): LayerGradient[] {
  const gradients: LayerGradient[] = [];
  for (const pass of passes.toReversed()) {
    const after = gradients.at(-1);
    const dy = after ? inputGradient(graph, weights, after) : dOutput;
    const dActive = activationGradient(graph, pass.layer.activation, pass.y, dy);
    const norm = pass.norm && op.batchNormGradient(graph, pass.norm, dActive);
    gradients.push({ pass, norm, dHidden: norm?.dx ?? dActive });
  }
  return gradients.reverse();
}

/**
 * Gradient of a layer's input. That of a transposed convolution is the convolution.
 *
 * @returns [B, ...inputShape], for a product of a vector [B, C]
 */
export function inputGradient(graph: Graph, weights: Weights, { pass, dHidden }: LayerGradient): Tensor {
  const { layer, x } = pass;
  const filter = weights(`${layer.name}.weight`);
  const [batch = 0] = x.shape;
  const shape = [batch, ...layer.inputShape];
  if (layer.isProduct) {
    const dx = op.matMul(graph, asMatrix(graph, dHidden), filter, { transposeB: true });
    return layer.kind === 'convolution' ? op.reshape(graph, dx, shape) : dx;
  }
  return layer.kind === 'convolution'
    ? op.transposedConvolution(graph, dHidden, filter, layer, shape)
    : op.convolution(graph, dHidden, filter, layer);
}

/** Gradient of every trained parameter, under its name. */
export function parameterGradients(
  graph: Graph,
  weights: Weights,
  gradients: readonly LayerGradient[],
): Record<string, Tensor> {
  const named: Record<string, Tensor> = {};
  for (const { pass, dHidden, norm } of gradients) {
    const { name, normName, bias } = pass.layer;
    named[`${name}.weight`] = filterGradient(graph, weights(`${name}.weight`), pass, dHidden);
    if (normName !== undefined && norm) {
      named[`${normName}.weight`] = norm.dScale;
      named[`${normName}.bias`] = norm.dOffset;
    } else if (bias) named[`${name}.bias`] = op.biasGradient(graph, dHidden);
  }
  return named;
}

/** For a transposed convolution the roles of input and output are exchanged. */
function filterGradient(graph: Graph, filter: Tensor, { layer, x }: LayerPass, dHidden: Tensor): Tensor {
  if (layer.isProduct) return op.matMul(graph, x, asMatrix(graph, dHidden), { transposeA: true });
  return layer.kind === 'convolution'
    ? op.filterGradient(graph, x, dHidden, layer, filter.shape)
    : op.filterGradient(graph, dHidden, x, layer, filter.shape);
}

/** [B, H, W, C] -> [B, H * W * C]; a matrix stays what it is. */
function asMatrix(graph: Graph, x: Tensor): Tensor {
  if (x.shape.length === 2) return x;
  const [batch = 0, ...image] = x.shape;
  return op.reshape(graph, x, [batch, sizeOf(image)]);
}

/** A layer's input as its convolution takes it. */
function operandOf(graph: Graph, { isProduct }: PlacedLayer, x: Tensor): Tensor {
  return isProduct ? asMatrix(graph, x) : x;
}

/** The convolution of a layer, with its bias where no BatchNorm cancels it. */
function convolve(graph: Graph, weights: Weights, layer: PlacedLayer, x: Tensor): Tensor {
  const { kind, name, normName, bias, isProduct, outputShape } = layer;
  const filter = weights(`${name}.weight`);
  const shape = [x.shape[0] ?? 0, ...outputShape];
  const multiply = (): Tensor => {
    const product = op.matMul(graph, x, filter);
    return kind === 'convolution' ? product : op.reshape(graph, product, shape);
  };
  const slide = (): Tensor =>
    kind === 'convolution'
      ? op.convolution(graph, x, filter, layer)
      : op.transposedConvolution(graph, x, filter, layer, shape);
  const hidden = isProduct ? multiply() : slide();
  return bias && normName === undefined ? op.addBias(graph, hidden, weights(`${name}.bias`)) : hidden;
}

function activate(graph: Graph, activation: Activation, x: Tensor): Tensor {
  switch (activation.kind) {
    case 'none':
      return x;
    case 'relu':
      return op.relu(graph, x);
    case 'leakyRelu':
      return op.leakyRelu(graph, x, activation.slope);
    case 'tanh':
      return op.tanh(graph, x);
  }
}

/** Gradient through an activation, from its output `y`. */
function activationGradient(graph: Graph, activation: Activation, y: Tensor, dy: Tensor): Tensor {
  switch (activation.kind) {
    case 'none':
      return dy;
    case 'relu':
      return op.reluGradient(graph, dy, y);
    case 'leakyRelu':
      return op.leakyReluGradient(graph, dy, y, activation.slope);
    case 'tanh':
      return op.tanhGradient(graph, y, dy);
  }
}
