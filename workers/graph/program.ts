// A program: a graph with named inputs and outputs, and what runs it.
import type { Graph, Tensor } from './graph.ts';

export interface Program {
  readonly name: string;
  readonly graph: Graph;
  readonly inputs: Readonly<Record<string, Tensor>>;
  readonly outputs: Readonly<Record<string, Tensor>>;
}

/** Runs programs; one implementation an engine. */
export interface Executor {
  /**
   * Runs the program once.
   *
   * @param inputs values of every input of the program, in the order of its shape
   * @returns values of every output, owned by the caller
   * @throws GanglionError `shape` when an input is missing or has the wrong length, as a rejection
   */
  run(inputs: Readonly<Record<string, Float32Array>>): Promise<Record<string, Float32Array>>;
  /** Frees what the engine holds for the program. */
  dispose(): void;
}
