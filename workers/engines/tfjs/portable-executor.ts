// Runs a program by kernels of tfjs-core, node by node. What to do is planned and compiled once; a tensor is freed as soon as its last
// reader is done.
import * as tf from '@tensorflow/tfjs-core';
import { GanglionError } from '../../../shared/error.ts';
import { type GraphNode, tensorName } from '../../../shared/model/graph.ts';
import type { Program } from '../../../shared/model/program.ts';
import { sizeOf } from '../../../shared/model/shape.ts';
import type { Executor } from '../executor.ts';
import { Constants } from './constants.ts';
import { type Evaluate, PORTABLE_OPERATIONS } from './portable-operations.ts';
import { type PlannedNode, planOf } from './portable-plan.ts';

/** A node, ready to run. */
type Step = Pick<PlannedNode, 'inputs' | 'outputNames' | 'done'> & { readonly evaluate: Evaluate };

function constantTensor({ name, attributes: { value } }: GraphNode): tf.Tensor {
  if (value?.kind !== 'tensor') throw new Error(`constant ${name} has no value`);
  const dtype = value.value instanceof Float32Array ? 'float32' : 'int32';
  return tf.keep(tf.tensor(value.value, [...value.shape], dtype));
}

/** Compiles a program for the backend of tfjs that this thread has. */
export class PortableExecutor implements Executor {
  readonly #program: Program;
  readonly #inputs: Program['inputs'];
  readonly #steps: readonly Step[];
  readonly #constants = new Constants();
  /** The graph's constants, by name. */
  readonly #fixed: ReadonlyMap<string, tf.Tensor>;

  constructor(program: Program) {
    const { constants, nodes, placeholders } = planOf(program);
    const target = { constants: this.#constants };
    this.#program = program;
    this.#inputs = Object.fromEntries(Object.entries(program.inputs).filter(([, { node }]) => placeholders.has(node)));
    this.#steps = nodes.map((node) => {
      const compile = PORTABLE_OPERATIONS[node.op];
      if (!compile) throw new Error(`${program.name}: the portable executor does not know the operation ${node.op}`);
      return { ...node, evaluate: compile(node, target) };
    });
    this.#fixed = new Map(constants.map((node) => [`${node.name}:0`, constantTensor(node)]));
  }

  async run(inputs: Readonly<Record<string, Float32Array>>): Promise<Record<string, Float32Array>> {
    const alive = new Map<string, tf.Tensor>();
    try {
      this.#upload(inputs, alive);
      for (const step of this.#steps) this.#take(step, alive);
      const outputs = Object.entries(this.#program.outputs).map(async ([name, tensor]) => {
        const values = await this.#find(tensorName(tensor), alive).data<'float32'>();
        return [name, values] as const;
      });
      return Object.fromEntries(await Promise.all(outputs));
    } finally {
      for (const tensor of alive.values()) tensor.dispose();
    }
  }

  /** Copies the inputs that are read, one by one. */
  #upload(inputs: Readonly<Record<string, Float32Array>>, alive: Map<string, tf.Tensor>): void {
    for (const [name, tensor] of Object.entries(this.#inputs)) {
      const { shape } = tensor;
      const values = inputs[name];
      if (values?.length !== sizeOf(shape)) {
        const got = values ? `${values.length} values` : 'nothing';
        throw new GanglionError('shape', `${this.#program.name}: input ${name} expected [${shape}], got ${got}`);
      }
      alive.set(tensorName(tensor), tf.tensor(values, [...shape], 'float32'));
    }
  }

  #find(name: string, alive: ReadonlyMap<string, tf.Tensor>): tf.Tensor {
    const tensor = alive.get(name) ?? this.#fixed.get(name);
    if (!tensor) throw new Error(`${this.#program.name}: ${name} is read before it is computed`);
    return tensor;
  }

  #take({ evaluate, inputs, outputNames, done }: Step, alive: Map<string, tf.Tensor>): void {
    const given = inputs.map((name) => this.#find(name, alive));
    const results = tf.tidy(() => {
      const result = evaluate(...given);
      return result instanceof tf.Tensor ? [result] : [...result];
    });
    for (const [i, result] of results.entries()) {
      const name = outputNames[i];
      if (name !== undefined) alive.set(name, result);
    }
    for (const name of done) {
      alive.get(name)?.dispose();
      alive.delete(name);
    }
  }

  dispose(): void {
    for (const tensor of this.#fixed.values()) tensor.dispose();
    this.#constants.dispose();
  }
}
