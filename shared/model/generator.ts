// The generator, forward and backward. Suffixes: B batch, Z latent, H height, W width, C channels.
// z_BZ -> transposed convolutions with BatchNorm and ReLU between -> tanh: images in [-1, 1]. Radford et al. 2015.

import type { Graph, Tensor } from './graph.ts';
import {
  backward,
  forward,
  forwardFixed,
  type LayerPass,
  parameterGradients,
  type RunningStatistics,
  statisticsOf,
} from './layers.ts';
import { generatorLayers, type ModelSpec } from './spec.ts';
import type { NormStatistics, Weights } from './weights.ts';

/** Everything the backward pass needs of a forward pass. */
export interface GeneratorPass {
  readonly layers: readonly LayerPass[];
  /** Images in [-1, 1], [B, H, W, C]. */
  readonly images_BHWC: Tensor;
  readonly statistics: readonly NormStatistics[];
}

/** Forward on batch statistics. */
export function generate(graph: Graph, weights: Weights, spec: ModelSpec, z_BZ: Tensor): GeneratorPass {
  const layers = forward(graph, weights, generatorLayers(spec), z_BZ, spec.epsilon);
  const images_BHWC = layers.at(-1)?.y ?? z_BZ;
  return { layers, images_BHWC, statistics: statisticsOf(graph, weights, layers) };
}

/** Gradient of every parameter, under its name, from the gradient of the images. */
export function generatorGradients(
  graph: Graph,
  weights: Weights,
  pass: GeneratorPass,
  dImages_BHWC: Tensor,
): Record<string, Tensor> {
  return parameterGradients(graph, weights, backward(graph, weights, pass.layers, dImages_BHWC));
}

/** Images [B, H, W, C] on running statistics, as at evaluation. */
export function generateFixed(
  graph: Graph,
  weights: Weights,
  spec: ModelSpec,
  z_BZ: Tensor,
  running: RunningStatistics,
): Tensor {
  return forwardFixed(graph, weights, generatorLayers(spec), z_BZ, spec.epsilon, running);
}
