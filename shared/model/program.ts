// A program: a graph with named inputs and outputs. Engines compile and run it (workers/engines/executor.ts).
import { type GraphNode, nodeOf, type Tensor } from './graph.ts';

export interface Program {
  readonly name: string;
  readonly graph: { readonly nodes: readonly GraphNode[] };
  readonly inputs: Readonly<Record<string, Tensor>>;
  readonly outputs: Readonly<Record<string, Tensor>>;
  /** Inputs that may be known later than the others: what needs none of them can be precomputed. */
  readonly lateInputs?: readonly string[];
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
