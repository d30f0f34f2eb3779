// Splits a program in two: what can be precomputed, as it needs none of the late inputs, and the rest. A replica precomputes the first half
// while it waits for D's update.
import { type GraphNode, nodeOf, type Tensor } from '../../../shared/model/graph.ts';
import type { Program } from '../../../shared/model/program.ts';

/** Both halves are programs; `rest` takes what `first` hands over. */
export interface SplitProgram {
  /** Its outputs: those of the program that it has computed, and everything in `handed`. */
  readonly first: Program;
  readonly rest: Program;
  /** Names of outputs of `first` that are inputs of `rest`. */
  readonly handed: readonly string[];
}

/** Costs nothing to have in both halves. */
const isLeaf = ({ op }: GraphNode): boolean => op === 'Placeholder' || op === 'Const';

/**
 * @param lateInputs names of inputs of the program
 * @returns the halves; each computes what it computes in the whole, by the same nodes
 */
export function splitProgram(program: Program, lateInputs: readonly string[]): SplitProgram {
  const { nodes } = program.graph;
  const byName = new Map(nodes.map((node) => [node.name, node]));
  const lateNodes = new Set(lateInputs.map((name) => program.inputs[name]?.node));
  for (const { name, inputs } of nodes) if (inputs.some((tensor) => lateNodes.has(nodeOf(tensor)))) lateNodes.add(name);

  const isHanded = (tensor: string): boolean => {
    const node = byName.get(nodeOf(tensor));
    return node !== undefined && !isLeaf(node) && !lateNodes.has(node.name);
  };
  const restNodes = nodes.filter((node) => lateNodes.has(node.name) && !isLeaf(node));
  const handedTensors = [...new Set(restNodes.flatMap(({ inputs }) => inputs.filter(isHanded)))];
  const placeholders = new Map(handedTensors.map((tensor, i) => [tensor, `handed/${i}`]));

  const firstNodes = nodes.filter((node) => !lateNodes.has(node.name) && !isLeaf(node));
  const half = (name: string, own: readonly GraphNode[], outputs: Program['outputs']): Program => {
    const read = new Set(own.flatMap(({ inputs }) => inputs.map(nodeOf)));
    const leaves = nodes.filter((node) => isLeaf(node) && read.has(node.name));
    const inputs = Object.entries(program.inputs).filter(([, { node }]) => read.has(node));
    return { name, graph: { nodes: [...leaves, ...own] }, inputs: Object.fromEntries(inputs), outputs };
  };
  const outputsOf = (ofLate: boolean): [string, Tensor][] =>
    Object.entries(program.outputs).filter(([, { node }]) => lateNodes.has(node) === ofLate);

  const handed = [...placeholders].map(([tensor, name]): [string, Tensor, GraphNode] => {
    const node = nodeOf(tensor);
    const output = Number(tensor.slice(tensor.lastIndexOf(':') + 1));
    const inferred = byName.get(node)?.outputs[output] ?? { shape: [], dtype: 'float32' };
    // No attribute `shape`: what a kernel keeps for its gradient has the shape that it likes.
    const attributes = { dtype: { kind: 'type', value: inferred.dtype } } as const;
    return [
      name,
      { node, output, ...inferred },
      { name, op: 'Placeholder', inputs: [], attributes, outputs: [inferred] },
    ];
  });
  const renamed = restNodes.map((node) => ({
    ...node,
    inputs: node.inputs.map((tensor) => (placeholders.has(tensor) ? `${placeholders.get(tensor)}:0` : tensor)),
  }));
  const rest = half(`${program.name}, rest`, renamed, Object.fromEntries(outputsOf(true)));
  return {
    first: half(`${program.name}, first`, firstNodes, {
      ...Object.fromEntries(outputsOf(false)),
      ...Object.fromEntries(handed.map(([name, tensor]) => [name, tensor])),
    }),
    rest: {
      ...rest,
      graph: { nodes: [...handed.map(([, , node]) => node), ...rest.graph.nodes] },
      inputs: {
        ...rest.inputs,
        ...Object.fromEntries(handed.map(([name, tensor]) => [name, { ...tensor, node: name, output: 0 }])),
      },
    },
    handed: handed.map(([name]) => name),
  };
}
