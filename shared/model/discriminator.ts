// The discriminator, forward and backward. Suffixes: B batch, H height, W width, C channels.
// images_BHWC -> convolutions with BatchNorm and LeakyReLU between -> a logit an image. Radford et al. 2015.

import type { Graph, Tensor } from './graph.ts';
import { backward, forward, inputGradient, type LayerPass, parameterGradients, statisticsOf } from './layers.ts';
import { discriminatorLayers, type ModelSpec } from './spec.ts';
import type { NormStatistics, Weights } from './weights.ts';

/** Everything the backward pass needs of a forward pass. */
export interface DiscriminatorPass {
  readonly layers: readonly LayerPass[];
  /** [B, 1]. */
  readonly logits: Tensor;
  readonly statistics: readonly NormStatistics[];
}

/** Forward on batch statistics. */
export function discriminate(graph: Graph, weights: Weights, spec: ModelSpec, images_BHWC: Tensor): DiscriminatorPass {
  const layers = forward(graph, weights, discriminatorLayers(spec), images_BHWC, spec.epsilon);
  const logits = layers.at(-1)?.y ?? images_BHWC;
  return { layers, logits, statistics: statisticsOf(graph, weights, layers) };
}

/** Gradient of every trained parameter, under its name, from the gradient of the logits [B, 1]. */
export function discriminatorGradients(
  graph: Graph,
  weights: Weights,
  pass: DiscriminatorPass,
  dLogits: Tensor,
): Record<string, Tensor> {
  return parameterGradients(graph, weights, backward(graph, weights, pass.layers, dLogits));
}

/** Gradient of the images [B, H, W, C] from the gradient of the logits: what the generator learns from. */
export function imageGradient(graph: Graph, weights: Weights, pass: DiscriminatorPass, dLogits: Tensor): Tensor {
  const [first] = backward(graph, weights, pass.layers, dLogits);
  if (!first) throw new Error('a discriminator without layers');
  return inputGradient(graph, weights, first);
}
