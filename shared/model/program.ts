// A program: a graph with named inputs and outputs, and what runs it.
import { type GraphNode, nodeOf, type Tensor } from './graph.ts';

export interface Program {
  readonly name: string;
  readonly graph: { readonly nodes: readonly GraphNode[] };
  readonly inputs: Readonly<Record<string, Tensor>>;
  readonly outputs: Readonly<Record<string, Tensor>>;
  /** Inputs that may be known later than the others: what needs none of them can be computed ahead. */
  readonly late?: readonly string[];
}

/** The nodes that the outputs need, in the order of the graph, which is topological. */
export function neededNodes({ graph, outputs }: Program): GraphNode[] {
  const needed = new Set(Object.values(outputs).map(({ node }) => node));
  const nodes: GraphNode[] = [];
  for (const node of graph.nodes.toReversed()) {
    if (!needed.has(node.name)) continue;
    nodes.push(node);
    for (const input of node.inputs) needed.add(nodeOf(input));
  }
  return nodes.reverse();
}

/** What an executor has computed ahead of a run; it lives until that run or `dispose`. */
export interface Begun {
  dispose(): void;
}

/** Runs programs; one implementation an engine. */
export interface Executor {
  /**
   * Runs the program once.
   *
   * @param inputs values of every input of the program, in the order of its shape
   * @param begun what {@link begin} has computed of the same inputs; used up. The outputs have the same bits with it and without
   * @param into arrays that outputs may be written to, where the engine can; what they hold is worthless when the run fails
   * @returns values of every output, owned by the caller; those of `into` that have been written to are among them
   * @throws GanglionError `shape` when an input is missing or has the wrong length, as a rejection
   */
  run(
    inputs: Readonly<Record<string, Float32Array>>,
    begun?: Begun,
    into?: Readonly<Record<string, Float32Array>>,
  ): Promise<Record<string, Float32Array>>;
  /** Computes ahead what needs none of the late inputs; undefined where there is nothing to gain. */
  readonly begin?: ((inputs: Readonly<Record<string, Float32Array>>) => Promise<Begun>) | undefined;
  /** Frees what the engine holds for the program. */
  dispose(): void;
}
