// Runs a program by kernels of tfjs-core: the nodes that its outputs need, one after another. What to do is planned once; a tensor is
// freed as soon as the last node that reads it is done.
import * as tf from '@tensorflow/tfjs-core';
import { GanglionError } from '../../shared/error.ts';
import { Constants } from './constants.ts';
import type { Convolutions } from './convolution-kernels.ts';
import { type GraphNode, type Shape, sizeOf, tensorName } from './graph.ts';
import { type Evaluate, type PlannedNode, PORTABLE_OPERATIONS } from './portable-operations.ts';
import type { Executor, Program } from './program.ts';

/** One node, ready to run. */
interface Step {
  readonly evaluate: Evaluate;
  /** Names of tensors, `node:output`. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** What nobody reads after it. */
  readonly done: readonly string[];
}

/** The nodes that the outputs need, in the order of the graph. */
function neededNodes({ graph, outputs }: Program): GraphNode[] {
  const needed = new Set(Object.values(outputs).map(({ node }) => node));
  const nodes: GraphNode[] = [];
  for (const node of graph.nodes.toReversed()) {
    if (!needed.has(node.name)) continue;
    nodes.push(node);
    for (const input of node.inputs) needed.add(nodeOf(input));
  }
  return nodes.reverse();
}

/** The node of a tensor `node:output`. */
function nodeOf(tensor: string): string {
  return tensor.slice(0, tensor.lastIndexOf(':'));
}

/** ReLUs that are the only reader of a BatchNorm's output: from the BatchNorm's name to the ReLU's. */
function fusedRelus(nodes: readonly GraphNode[], program: Program): Map<string, string> {
  const norms = new Set(nodes.filter(({ op }) => op === 'FusedBatchNormV3').map(({ name }) => name));
  const outputs = new Set(Object.values(program.outputs).map(tensorName));
  const readers = new Map<string, GraphNode[]>();
  for (const node of nodes) for (const input of node.inputs) readers.set(input, [...(readers.get(input) ?? []), node]);
  const fused = new Map<string, string>();
  for (const name of norms) {
    const [reader, ...others] = readers.get(`${name}:0`) ?? [];
    if (reader?.op === 'Relu' && others.length === 0 && !outputs.has(`${name}:0`)) fused.set(name, reader.name);
  }
  return fused;
}

/** Compiles a program for the backend of tfjs that is set in this thread. */
export class PortableExecutor implements Executor {
  readonly #program: Program;
  readonly #constants = new Constants();
  /** Constants of the graph, under their names. */
  readonly #fixed = new Map<string, tf.Tensor>();
  readonly #steps: readonly Step[];

  constructor(program: Program, convolutions: Convolutions) {
    this.#program = program;
    const nodes = neededNodes(program);
    const relus = fusedRelus(nodes, program);
    const shapes = new Map<string, Shape>();
    const values = new Map<string, Float32Array | Int32Array>();
    for (const { name, outputs, attributes } of nodes) {
      for (const [i, { shape }] of outputs.entries()) shapes.set(`${name}:${i}`, shape);
      const { value } = attributes;
      if (value?.kind !== 'tensor') continue;
      values.set(`${name}:0`, value.value);
      const dtype = value.value instanceof Float32Array ? 'float32' : 'int32';
      this.#fixed.set(`${name}:0`, tf.keep(tf.tensor(value.value, [...value.shape], dtype)));
    }
    const skipped = new Set(relus.values());
    const planned = nodes
      .filter(({ name, op }) => op !== 'Placeholder' && op !== 'Const' && !skipped.has(name))
      .map((node) => {
        const relu = relus.get(node.name);
        const plan: PlannedNode = {
          ...node,
          thenRelu: relu !== undefined,
          inputShapes: node.inputs.map((input) => shapes.get(input) ?? []),
          inputValues: node.inputs.map((input) => values.get(input)),
        };
        const compile = PORTABLE_OPERATIONS[node.op];
        if (!compile) throw new Error(`${program.name}: the portable executor has no operation ${node.op}`);
        const outputs = node.outputs.map((_, i) => (i === 0 && relu !== undefined ? `${relu}:0` : `${node.name}:${i}`));
        return { evaluate: compile(plan, { convolutions, constants: this.#constants }), inputs: node.inputs, outputs };
      });
    this.#steps = withLastReaders(planned, new Set([...this.#fixed.keys(), ...this.#outputNames()]));
  }

  #outputNames(): string[] {
    return Object.values(this.#program.outputs).map(tensorName);
  }

  async run(inputs: Readonly<Record<string, Float32Array>>): Promise<Record<string, Float32Array>> {
    const alive = new Map<string, tf.Tensor>();
    try {
      this.#upload(inputs, alive);
      for (const step of this.#steps) this.#take(step, alive);
      const read = Object.entries(this.#program.outputs).map(async ([name, tensor]) => {
        const found = alive.get(tensorName(tensor)) ?? this.#fixed.get(tensorName(tensor));
        if (!found) throw new Error(`${this.#program.name}: nothing computes output ${name}`);
        const values = await found.data<'float32'>();
        return [name, values] as const;
      });
      return Object.fromEntries(await Promise.all(read));
    } finally {
      for (const tensor of alive.values()) tensor.dispose();
    }
  }

  #upload(inputs: Readonly<Record<string, Float32Array>>, alive: Map<string, tf.Tensor>): void {
    for (const [name, tensor] of Object.entries(this.#program.inputs)) {
      const { shape } = tensor;
      const values = inputs[name];
      if (values?.length !== sizeOf(shape)) {
        const got = values ? `${values.length} values` : 'nothing';
        throw new GanglionError('shape', `${this.#program.name}: input ${name} expected [${shape}], got ${got}`);
      }
      alive.set(tensorName(tensor), tf.tensor(values, [...shape], 'float32'));
    }
  }

  #take({ evaluate, inputs, outputs, done }: Step, alive: Map<string, tf.Tensor>): void {
    const given = inputs.map((name) => {
      const tensor = alive.get(name) ?? this.#fixed.get(name);
      if (!tensor) throw new Error(`${this.#program.name}: ${name} is read before it is computed`);
      return tensor;
    });
    const results = tf.tidy(() => {
      const result = evaluate(...given);
      return (result instanceof tf.Tensor ? [result] : [...result]) as tf.Tensor[];
    });
    for (const [i, result] of results.entries()) {
      const name = outputs[i];
      if (name !== undefined) alive.set(name, result);
    }
    for (const name of done) {
      alive.get(name)?.dispose();
      alive.delete(name);
    }
  }

  dispose(): void {
    for (const tensor of this.#fixed.values()) tensor.dispose();
    this.#fixed.clear();
    this.#constants.dispose();
  }
}

/** Notes at each step which tensors nobody reads after it, those of `kept` aside: outputs that nobody reads at all too. */
function withLastReaders(steps: readonly Omit<Step, 'done'>[], kept: ReadonlySet<string>): Step[] {
  const read = new Set(kept);
  const reversed = steps.toReversed().map((step) => {
    const done = new Set([...step.inputs, ...step.outputs].filter((name) => !read.has(name)));
    for (const name of step.inputs) read.add(name);
    return { ...step, done: [...done] };
  });
  return reversed.reverse();
}
