// In which order the portable executor evaluates a program's nodes, what each reads and gives, and when a tensor has had its last reader.
import { type GraphNode, tensorName } from '../../../shared/model/graph.ts';
import { neededNodes, type Program } from '../../../shared/model/program.ts';

/** A node, and what is known of it before it runs. Tensors go by their names, `node:output`. */
export interface PlannedNode extends GraphNode {
  /** A ReLU follows that is the only one to read its first output: it is part of this node's work. */
  readonly thenRelu: boolean;
  /** The values of inputs that are constants. */
  readonly inputValues: readonly (Float32Array | Int32Array | undefined)[];
  readonly outputNames: readonly string[];
  /** Tensors that nobody reads after it, those that nobody reads at all among them. */
  readonly done: readonly string[];
}

export interface Plan {
  readonly constants: readonly GraphNode[];
  /** In the order of evaluation. */
  readonly nodes: readonly PlannedNode[];
  /** Names of the placeholders that are read. */
  readonly placeholders: ReadonlySet<string>;
}

/** ReLUs that are the only reader of a BatchNorm's output: from the BatchNorm's name to the ReLU's. */
function relusAfterNorms(nodes: readonly GraphNode[], outputs: ReadonlySet<string>): Map<string, string> {
  const readers = new Map<string, GraphNode[]>();
  for (const node of nodes) for (const input of node.inputs) readers.set(input, [...(readers.get(input) ?? []), node]);
  const relus = new Map<string, string>();
  for (const { name, op } of nodes) {
    const tensor = `${name}:0`;
    const [reader, ...others] = readers.get(tensor) ?? [];
    if (op !== 'FusedBatchNormV3' || reader?.op !== 'Relu' || others.length > 0 || outputs.has(tensor)) continue;
    relus.set(name, reader.name);
  }
  return relus;
}

/** Plans the evaluation of a program. */
export function planOf(program: Program): Plan {
  const outputs = new Set(Object.values(program.outputs).map(tensorName));
  const nodes = neededNodes(program);
  const relus = relusAfterNorms(nodes, outputs);
  const fused = new Set(relus.values());
  const constants = nodes.filter(({ op }) => op === 'Const');
  const values = new Map(
    constants.map(({ name, attributes: { value } }) => [
      `${name}:0`,
      value?.kind === 'tensor' ? value.value : undefined,
    ]),
  );
  const kept = new Set([...outputs, ...values.keys()]);
  const planned: PlannedNode[] = [];
  for (const node of nodes.toReversed()) {
    const { name, op, inputs } = node;
    if (op === 'Const' || op === 'Placeholder' || fused.has(name)) continue;
    const relu = relus.get(name);
    const outputNames = node.outputs.map((_, i) => `${i === 0 ? (relu ?? name) : name}:${i}`);
    const done = new Set([...inputs, ...outputNames].filter((tensor) => !kept.has(tensor)));
    for (const tensor of inputs) kept.add(tensor); // those before it find a reader
    const inputValues = inputs.map((tensor) => values.get(tensor));
    planned.push({ ...node, thenRelu: relu !== undefined, inputValues, outputNames, done: [...done] });
  }
  const placeholders = new Set(nodes.filter(({ op }) => op === 'Placeholder').map(({ name }) => name));
  return { constants, nodes: planned.reverse(), placeholders };
}
