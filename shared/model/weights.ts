// The parameters of a net as placeholders of a graph, under PyTorch's names.

import type { Graph, Tensor } from './graph.ts';
import type { NetLayout } from './layout.ts';

/** Looks a parameter of one net up by its name in PyTorch's state dictionary. */
export type Weights = (name: string) => Tensor;

/**
 * Makes a placeholder for every parameter of the net, named `<net>/<parameter>`.
 *
 * @param inputs receives the placeholders under their names
 */
export function weightsOf(graph: Graph, layout: NetLayout, inputs: Record<string, Tensor>): Weights {
  const weights = new Map<string, Tensor>();
  for (const { name, shape } of layout.parameters) {
    const input = `${layout.net}/${name}`;
    const tensor = graph.placeholder(input, shape);
    inputs[input] = tensor;
    weights.set(name, tensor);
  }
  return (name) => {
    const tensor = weights.get(name);
    if (!tensor) throw new Error(`${layout.net} has no parameter ${name}`);
    return tensor;
  };
}

/** Statistics of the batch that a BatchNorm saw in one forward pass. */
export interface NormStatistics {
  /** PyTorch's name of the layer: `main.1`. */
  readonly name: string;
  readonly mean: Tensor;
  readonly variance: Tensor;
}
