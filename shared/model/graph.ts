// A graph of TensorFlow operations as plain data: built once by shared/model, run by an executor.
// Every tensor knows its static shape; ops.ts infers it and rejects what does not fit.

import { GanglionError } from '../error.ts';
import { sizeOf } from './shape.ts';

/**
 * Version of TensorFlow's operations that a graph is written for (`producer` in versions.proto): that of TensorFlow 2.21, as its
 * TF_GraphToGraphDef states it.
 */
export const GRAPH_VERSION = 2474;

export type DType = 'float32' | 'int32';
export type Shape = readonly number[];

/** One output of a node. */
export interface Tensor {
  readonly node: string;
  readonly output: number;
  readonly shape: Shape;
  readonly dtype: DType;
}

/** Attribute of a node, tagged by its kind in TensorFlow's AttrValue. */
export type Attribute =
  | { readonly kind: 'type'; readonly value: DType }
  | { readonly kind: 'int'; readonly value: number }
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'bool'; readonly value: boolean }
  | { readonly kind: 'text'; readonly value: string }
  | { readonly kind: 'ints'; readonly value: readonly number[] }
  | { readonly kind: 'shape'; readonly value: Shape }
  | { readonly kind: 'tensor'; readonly shape: Shape; readonly value: Float32Array | Int32Array };

/** Shape and type of an output of a node. */
export interface Output {
  readonly shape: Shape;
  readonly dtype: DType;
}

export interface GraphNode {
  readonly name: string;
  readonly op: string;
  /** `name:output` of every input. */
  readonly inputs: readonly string[];
  readonly attributes: Readonly<Record<string, Attribute>>;
  /** Shape and type of every output. */
  readonly outputs: readonly Output[];
}

/** `node:output`, TensorFlow's name of a tensor. */
export function tensorName(tensor: Tensor): string {
  return `${tensor.node}:${tensor.output}`;
}

/** The node of a tensor's name, `node:output`. */
export function nodeOf(tensor: string): string {
  return tensor.slice(0, tensor.lastIndexOf(':'));
}

/** Collects nodes in topological order; equal constants are one node. */
export class Graph {
  readonly nodes: GraphNode[] = [];
  readonly #names = new Set<string>();
  readonly #constants = new Map<string, Tensor>();

  /**
   * Adds a node.
   *
   * @param outputs shape and type of every output, in TensorFlow's order
   * @param name unique; made from `op` when left out
   * @throws GanglionError `shape` when the name is taken
   */
  add(
    op: string,
    inputs: readonly Tensor[],
    attributes: Readonly<Record<string, Attribute>>,
    outputs: readonly Output[],
    name = `${op}_${this.nodes.length}`,
  ): Tensor[] {
    if (this.#names.has(name)) throw new GanglionError('shape', `graph node ${name} exists already`);
    this.#names.add(name);
    this.nodes.push({
      name,
      op,
      inputs: inputs.map(tensorName),
      attributes,
      outputs: outputs.map(({ shape, dtype }) => ({ shape, dtype })),
    });
    return outputs.map(({ shape, dtype }, output) => ({ node: name, output, shape, dtype }));
  }

  /** An input of the graph, fed at every call. */
  placeholder(name: string, shape: Shape): Tensor {
    const attributes = { dtype: FLOAT, shape: { kind: 'shape', value: shape } } as const;
    return single(this.add('Placeholder', [], attributes, [{ shape, dtype: 'float32' }], name));
  }

  /** A constant; a shape of `[]` is a scalar. */
  constant(value: Float32Array | Int32Array, shape: Shape): Tensor {
    const dtype = value instanceof Float32Array ? 'float32' : 'int32';
    if (sizeOf(shape) !== value.length) {
      throw new GanglionError(
        'shape',
        `constant of shape [${shape}] takes ${sizeOf(shape)} values, got ${value.length}`,
      );
    }
    const key = `${dtype}[${shape}]${value}`;
    const known = this.#constants.get(key);
    if (known) return known;
    const attributes = { dtype: { kind: 'type', value: dtype }, value: { kind: 'tensor', shape, value } } as const;
    const tensor = single(this.add('Const', [], attributes, [{ shape, dtype }]));
    this.#constants.set(key, tensor);
    return tensor;
  }

  /** A float32 scalar. */
  scalar(value: number): Tensor {
    return this.constant(Float32Array.of(value), []);
  }

  /** A vector of int32, as shapes and axes are given to TensorFlow. */
  integers(values: readonly number[]): Tensor {
    return this.constant(Int32Array.from(values), [values.length]);
  }
}

/** The attribute of a float32 type. */
export const FLOAT = { kind: 'type', value: 'float32' } as const;

/** The only output of a node. */
export function single(tensors: readonly Tensor[]): Tensor {
  const [tensor] = tensors;
  if (tensors.length !== 1 || !tensor) throw new Error(`expected one output, got ${tensors.length}`);
  return tensor;
}
