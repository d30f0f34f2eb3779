// Runs small graphs on the native library, for tests of single operations.
import { fillNormal } from '../../../shared/random.ts';
import { Graph, sizeOf, type Tensor } from '../../../workers/graph/graph.ts';
import { NativeExecutor } from '../../../workers/graph/native-executor.ts';
import { loadBinding } from '../../../workers/native/binding.ts';

export const binding = loadBinding();

/** A graph under construction whose inputs are random values. */
export class TestGraph {
  readonly graph = new Graph();
  readonly #inputs: Record<string, Tensor> = {};
  readonly #values: Record<string, Float32Array> = {};

  /** An input of normal numbers, or of the values given; `values` are what TensorFlow gets, exactly. */
  input(
    shape: readonly number[],
    given?: readonly number[],
  ): { tensor: Tensor; values: Float64Array; shape: readonly number[] } {
    const part = Object.keys(this.#inputs).length;
    const name = `input${part}`;
    const values = given
      ? Float32Array.from(given)
      : fillNormal({ seed: 5, stream: 'samples', time: 0, part }, new Float32Array(sizeOf(shape)));
    const tensor = this.graph.placeholder(name, shape);
    this.#inputs[name] = tensor;
    this.#values[name] = values;
    return { tensor, values: Float64Array.from(values), shape };
  }

  /** Values of the tensors, by TensorFlow. */
  async run<Name extends string>(outputs: Readonly<Record<Name, Tensor>>): Promise<Record<Name, number[]>> {
    const program = { name: 'test', graph: this.graph, inputs: this.#inputs, outputs };
    const executor = new NativeExecutor(binding, program);
    try {
      const results = await executor.run(this.#values);
      const lists = Object.entries(results).map(([name, values]) => [name, [...values]]);
      return Object.fromEntries(lists) as Record<Name, number[]>;
    } finally {
      executor.dispose();
    }
  }
}

/** Largest difference, relative to the largest expected value. */
export function relativeError(
  got: readonly number[],
  expected: Iterable<number> & { readonly length: number },
): number {
  if (got.length !== expected.length) return Number.POSITIVE_INFINITY;
  const list = [...expected];
  const scale = Math.max(...list.map(Math.abs));
  return Math.max(...list.map((value, i) => Math.abs(value - (got[i] ?? Number.NaN)))) / scale;
}
