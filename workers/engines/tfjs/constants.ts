// Constant tensors of a compiled program: uploaded once, freed with it.
import * as tf from '@tensorflow/tfjs-core';
import type { Shape } from '../../../shared/model/graph.ts';

export class Constants {
  readonly #tensors = new Map<string, tf.Tensor>();

  /** The same value everywhere. */
  filled(shape: Shape, value: number): tf.Tensor {
    const key = `${value}[${shape}]`;
    const known = this.#tensors.get(key);
    if (known) return known;
    const tensor = tf.keep(tf.fill([...shape], value));
    this.#tensors.set(key, tensor);
    return tensor;
  }

  scalar(value: number): tf.Tensor {
    return this.filled([], value);
  }

  dispose(): void {
    for (const tensor of this.#tensors.values()) tensor.dispose();
    this.#tensors.clear();
  }
}
