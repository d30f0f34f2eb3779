// Moves a parameter between PyTorch's layout (checkpoints, initialisation) and TensorFlow's (replicas).

import type { Parameter } from './layout.ts';
import { sizeOf } from './shape.ts';

/** For every element in TensorFlow's order, its index in PyTorch's order. */
function sourceIndices({ torchShape, fromTorch, size }: Parameter): Uint32Array {
  const axes = fromTorch.map((axis) => ({
    size: torchShape[axis] ?? 0,
    stride: sizeOf(torchShape.slice(axis + 1)),
  }));
  let indices = new Uint32Array(1);
  for (const axis of axes) {
    const next = new Uint32Array(indices.length * axis.size);
    let at = 0;
    for (const index of indices) for (let i = 0; i < axis.size; i++) next[at++] = index + i * axis.stride;
    indices = next;
  }
  if (indices.length !== size) throw new Error(`expected ${size} elements, got ${indices.length}`);
  return indices;
}

/** Copies values in PyTorch's layout to `out` in TensorFlow's. Both have `parameter.size` values. */
export function fromTorchLayout(parameter: Parameter, values: Float32Array, out: Float32Array): void {
  const source = sourceIndices(parameter);
  for (let i = 0; i < source.length; i++) out[i] = values[source[i] as number] as number;
}

/** Copies values in TensorFlow's layout to a new array in PyTorch's. */
export function toTorchLayout(parameter: Parameter, values: Float32Array): Float32Array {
  const source = sourceIndices(parameter);
  const out = new Float32Array(values.length);
  for (let i = 0; i < source.length; i++) out[source[i] as number] = values[i] as number;
  return out;
}
