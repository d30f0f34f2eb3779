// What the kernels are compared with: definitions in float64, computed once for all instruction sets, and each other.
import type { Graph, Tensor } from '../../../../../shared/model/graph.ts';
import * as op from '../../../../../shared/model/ops.ts';
import { SameBits } from './loaded.ts';

/** Of the largest value: float32 sums of up to 2,000 products of normal numbers. */
export const CLOSE = 3e-6;
/** Of one value: functions and products of single ones. */
export const LAST_BITS = 3e-7;

export const sameBits = new SameBits();
/** Naive results, computed once for all instruction sets. */
const known = new Map<string, ArrayLike<number>>();
export function once(name: string, compute: () => ArrayLike<number>): Float64Array {
  const values = known.get(name) ?? compute();
  known.set(name, values);
  return Float64Array.from(values);
}

interface Activation {
  readonly name: string;
  /** Below 0. */
  readonly slope: number;
  activate(graph: Graph, x: Tensor): Tensor;
  /** From its output. */
  gradient(graph: Graph, dy: Tensor, y: Tensor): Tensor;
}
export const ACTIVATIONS: readonly Activation[] = [
  { name: 'no activation', slope: 1, activate: (_, x) => x, gradient: (_, dy) => dy },
  { name: 'ReLU', slope: 0, activate: op.relu, gradient: op.reluGradient },
  {
    ...{ name: 'LeakyReLU', slope: Math.fround(0.2) },
    activate: (graph, x) => op.leakyRelu(graph, x, 0.2),
    gradient: (graph, dy, y) => op.leakyReluGradient(graph, dy, y, 0.2),
  },
];
export const activated = (slope: number) => (value: number) => (value > 0 ? value : value * slope);
