// The generator as a graph model of TensorFlow.js: the program that draws samples, on running statistics, for any number of images.
// The format: https://github.com/tensorflow/tfjs/tree/master/tfjs-converter#format-conversion-details
import {
  type Attribute,
  type DType,
  FLOAT,
  GRAPH_VERSION,
  type GraphNode,
  nodeOf,
  type Shape,
  type Tensor,
} from '../../shared/model/graph.ts';
import { parameterInputs, statisticsInputs } from '../../shared/model/net-inputs.ts';
import { ANY_NUMBER, samplingProgram } from '../../shared/model/phases.ts';
import { neededNodes, type Program } from '../../shared/model/program.ts';
import type { ModelSpec } from '../../shared/model/spec.ts';
import type { NetState } from '../training/state.ts';
import type {
  DataType,
  GraphModelJson,
  Attribute as JsonAttribute,
  NodeDef,
  TensorInfo,
  TensorShape,
  WeightEntry,
} from './graph-model-json.ts';

/** File of the weights beside model.json, named as the converter of TensorFlow.js names it. */
export const WEIGHTS_FILE = 'group1-shard1of1.bin';

export interface GraphModel {
  readonly json: GraphModelJson;
  /** The weights one after another in the manifest's order, little-endian. */
  readonly weights: Uint8Array;
}

/** Where the model comes from, for those who find it. */
export interface Origin {
  readonly ganglion: string;
  readonly run: string;
  readonly step: number;
  readonly stateSha256: string;
}

/**
 * Input `z` [n, latentSize], output `images` [n, height, width, channels] in [-1, 1].
 *
 * @param generator its parameters are in TensorFlow's layout
 */
export function toGraphModel(generator: NetState, spec: ModelSpec, origin: Origin): GraphModel {
  const { layout, parameters, statistics } = generator;
  const program = samplingProgram(ANY_NUMBER, spec, 'running');
  const values = { ...parameterInputs(layout, parameters), ...statisticsInputs(layout, statistics) };
  const { nodes, entries, bytes } = new Conversion(program, values);
  const { z, images } = { ...program.inputs, ...program.outputs };
  if (!z || !images) throw new Error('the sampling program has no z or no images');
  return {
    json: {
      format: 'graph-model',
      generatedBy: `ganglion ${origin.ganglion}`,
      convertedBy: 'ganglion export',
      signature: { inputs: { z: toInfo('z', z) }, outputs: { images: toInfo('images', images) } },
      modelTopology: { node: nodes, versions: { producer: GRAPH_VERSION } },
      weightsManifest: [{ paths: [WEIGHTS_FILE], weights: entries }],
      userDefinedMetadata: { run: origin.run, step: origin.step, stateSha256: origin.stateSha256 },
    },
    weights: Buffer.concat(bytes),
  };
}

const toInfo = (name: string, { dtype, shape }: Tensor): TensorInfo => ({
  name: `${name}:0`,
  dtype: toDataType(dtype),
  tensorShape: toShape(shape),
});

const toDataType = (dtype: DType): DataType => (dtype === 'float32' ? 'DT_FLOAT' : 'DT_INT32');
const toShape = (shape: Shape): TensorShape => ({ dim: shape.map((size) => ({ size: String(size) })) });

function toJson(attribute: Attribute): JsonAttribute {
  switch (attribute.kind) {
    case 'type':
      return { type: toDataType(attribute.value) };
    case 'int':
      return { i: String(attribute.value) };
    case 'float':
      return { f: attribute.value };
    case 'bool':
      return { b: attribute.value };
    case 'text':
      return { s: Buffer.from(attribute.value, 'latin1').toString('base64') };
    case 'ints':
      return { list: { i: attribute.value.map(String) } };
    case 'shape':
      return { shape: toShape(attribute.value) };
    case 'tensor': {
      const dtype = attribute.value instanceof Float32Array ? 'DT_FLOAT' : 'DT_INT32';
      return { tensor: { dtype, tensorShape: toShape(attribute.shape) } };
    }
  }
}

const toJsonAttributes = (attributes: Readonly<Record<string, Attribute>>): NodeDef['attr'] =>
  Object.fromEntries(Object.entries(attributes).map(([name, attribute]) => [name, toJson(attribute)]));

/** Nodes and weights of a program, whose inputs but z become constants. Its outputs keep their names. */
class Conversion {
  readonly nodes: NodeDef[] = [];
  readonly entries: WeightEntry[] = [];
  readonly bytes: Uint8Array[] = [];
  readonly #names: ReadonlyMap<string, string>;

  constructor(program: Program, values: Readonly<Record<string, Float32Array>>) {
    this.#names = new Map(Object.entries(program.outputs).map(([name, { node }]) => [node, name]));
    for (const node of neededNodes(program)) this.#add(node, values[node.name]);
  }

  #add(node: GraphNode, given: Float32Array | undefined): void {
    const { op, inputs, attributes, outputs } = node;
    const { value } = attributes;
    const name = this.#nameOf(node.name);
    const input = inputs.map((tensor) => this.#nameOf(nodeOf(tensor)));
    if (given) this.#addConstant(name, outputs[0]?.shape ?? [], given);
    else if (op === 'Const' && value?.kind === 'tensor') this.#addConstant(name, value.shape, value.value);
    else {
      if (op === 'Conv2DBackpropInput') input[0] = this.#addSize(name, outputs[0]?.shape ?? []);
      this.#addNode(name, op, input, attributes);
    }
    if (name === 'z') this.#addCount();
  }

  #nameOf(node: string): string {
    return this.#names.get(node) ?? node;
  }

  /** @returns its name, for those that read it */
  #addNode(
    name: string,
    op: string,
    input: readonly string[],
    attributes: Readonly<Record<string, Attribute>>,
  ): string {
    this.nodes.push({ name, op, input, attr: toJsonAttributes(attributes) });
    return name;
  }

  #addConstant(name: string, shape: Shape, value: Float32Array | Int32Array): string {
    const dtype = value instanceof Float32Array ? 'float32' : 'int32';
    this.entries.push({ name, shape, dtype });
    this.bytes.push(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
    return this.#addNode(name, 'Const', [], {
      dtype: { kind: 'type', value: dtype },
      value: { kind: 'tensor', shape, value },
    });
  }

  /** The number of images, from z. */
  #addCount(): void {
    this.#addNode('z/shape', 'Shape', ['z'], { T: FLOAT, out_type: INT });
    const at = (name: string, index: number): string => this.#addConstant(`count/${name}`, [1], Int32Array.of(index));
    this.#addNode('count', 'StridedSlice', ['z/shape', at('begin', 0), at('end', 1), at('strides', 1)], {
      T: INT,
      Index: INT,
      begin_mask: integer(0),
      end_mask: integer(0),
      ellipsis_mask: integer(0),
      new_axis_mask: integer(0),
      shrink_axis_mask: integer(1),
    });
  }

  /** The shape of the images that a transposed convolution gives: unlike Reshape, it takes no -1 for their number. */
  #addSize(name: string, [, ...image]: Shape): string {
    const sizes = image.map((size, axis) => this.#addConstant(`${name}/axis${axis + 1}`, [], Int32Array.of(size)));
    return this.#addNode(`${name}/shape`, 'Pack', ['count', ...sizes], {
      T: INT,
      N: integer(1 + sizes.length),
      axis: integer(0),
    });
  }
}

const INT = { kind: 'type', value: 'int32' } as const;
const integer = (value: number): Attribute => ({ kind: 'int', value });
