// Runs small graphs, for tests of single operations.

import { Graph, type Tensor } from '../../../../shared/model/graph.ts';
import { sizeOf } from '../../../../shared/model/shape.ts';
import { fillNormal } from '../../../../shared/random.ts';
import type { ProgramRunner } from '../../../../workers/engines/program-runner.ts';

/** A graph under construction whose inputs are random values. */
export class TestGraph {
  readonly graph = new Graph();
  readonly #inputs: Record<string, Tensor> = {};
  readonly #values: Record<string, Float32Array> = {};
  readonly #runner: ProgramRunner;

  constructor(runner: ProgramRunner) {
    this.#runner = runner;
  }

  /** An input of normal numbers, or of the values given; `values` are what the engine gets, exactly. */
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

  /** Values of the tensors. */
  async run<Name extends string>(outputs: Readonly<Record<Name, Tensor>>): Promise<Record<Name, number[]>> {
    const program = { name: 'test', graph: this.graph, inputs: this.#inputs, outputs };
    const executor = this.#runner.load(program);
    try {
      const results = await executor.run(this.#values);
      const lists = Object.entries(results).map(([name, values]) => [name, [...values]]);
      return Object.fromEntries(lists) as Record<Name, number[]>;
    } finally {
      executor.dispose();
    }
  }
}

/** Largest difference, relative to the largest expected value; NaN nowhere. */
export function relativeError(
  got: ArrayLike<number>,
  expected: Iterable<number> & { readonly length: number },
): number {
  if (got.length !== expected.length) return Number.POSITIVE_INFINITY;
  let scale = 0;
  let error = 0;
  let i = 0;
  for (const value of expected) {
    const difference = Math.abs(value - (got[i++] ?? Number.NaN));
    if (Number.isNaN(difference)) return Number.POSITIVE_INFINITY;
    scale = Math.max(scale, Math.abs(value));
    error = Math.max(error, difference);
  }
  return error / scale;
}
