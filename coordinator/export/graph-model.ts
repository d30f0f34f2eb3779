// The generator as a graph model of TensorFlow.js: TensorFlow's own operations, on running statistics, for any number of images.
// The format: https://github.com/tensorflow/tfjs/tree/master/tfjs-converter#format-conversion-details
import type {
  Attribute,
  DataType,
  GraphModelJson,
  NodeDef,
  TensorShape,
  WeightEntry,
} from '../../shared/explorer-data.ts';
import type { NetState } from '../training/state.ts';

/** File of the weights beside model.json, named as the converter of TensorFlow.js names it. */
export const WEIGHTS_FILE = 'group1-shard1of1.bin';
/** GraphDef version of TensorFlow 2.21. */
const PRODUCER = 2345;
/** Added to the variance in every BatchNorm; PyTorch's default. */
export const EPSILON = 1e-5;

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

const FLOAT: Attribute = { type: 'DT_FLOAT' };
const INT: Attribute = { type: 'DT_INT32' };
const integer = (value: number): Attribute => ({ i: String(value) });
const integers = (values: readonly number[]): Attribute => ({ list: { i: values.map(String) } });
const text = (value: string): Attribute => ({ s: Buffer.from(value, 'latin1').toString('base64') });
const dimensions = (shape: readonly number[]): TensorShape => ({ dim: shape.map((size) => ({ size: String(size) })) });

/** Nodes and weights as they are added. */
class GraphWriter {
  readonly nodes: NodeDef[] = [];
  readonly entries: WeightEntry[] = [];
  readonly bytes: Uint8Array[] = [];

  /** @returns its name, for those that read it */
  node(name: string, op: string, input: readonly string[], attr: NodeDef['attr']): string {
    this.nodes.push({ name, op, input, attr });
    return name;
  }

  constant(name: string, shape: readonly number[], values: Float32Array | Int32Array): string {
    const isFloat = values instanceof Float32Array;
    const dtype: DataType = isFloat ? 'DT_FLOAT' : 'DT_INT32';
    this.entries.push({ name, shape, dtype: isFloat ? 'float32' : 'int32' });
    this.bytes.push(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    const value = { tensor: { dtype, tensorShape: dimensions(shape) } };
    return this.node(name, 'Const', [], { dtype: { type: dtype }, value });
  }

  scalar(name: string, value: number): string {
    return this.constant(name, [], Int32Array.of(value));
  }
}

/**
 * Input `z` [n, latent], output `images` [n, 28, 28, 1] in [-1, 1]; weights and layers carry PyTorch's names.
 *
 * @param generator its parameters are in TensorFlow's layout
 */
export function toGraphModel(generator: NetState, latent: number, origin: Origin): GraphModel {
  const graph = new GraphWriter();
  const { layout, parameters, statistics } = generator;

  const weight = (name: string): string => {
    const found = layout.parameters.find((parameter) => parameter.name === name);
    if (!found) throw new Error(`the generator has no ${name}`);
    return graph.constant(name, found.shape, parameters.subarray(found.offset, found.offset + found.size));
  };
  /** BatchNorm on running statistics, and ReLU. */
  const normalised = (x: string, layer: string): string => {
    const norm = layout.norms.find(({ name }) => name === layer);
    if (!norm) throw new Error(`the generator has no ${layer}`);
    const { channels, offset } = norm;
    const running = (name: string, at: number): string =>
      graph.constant(`${layer}.${name}`, [channels], statistics.subarray(at, at + channels));
    const inputs = [
      x,
      weight(`${layer}.weight`),
      weight(`${layer}.bias`),
      running('running_mean', offset),
      running('running_var', offset + channels),
    ];
    const y = graph.node(layer, 'FusedBatchNormV3', inputs, {
      T: FLOAT,
      U: FLOAT,
      epsilon: { f: EPSILON },
      is_training: { b: false },
      data_format: text('NHWC'),
    });
    return graph.node(`${layer}/relu`, 'Relu', [y], { T: FLOAT });
  };

  const z = graph.node('z', 'Placeholder', [], { dtype: FLOAT, shape: { shape: dimensions([-1, latent]) } });
  const shape = graph.node('z/shape', 'Shape', [z], { T: FLOAT, out_type: INT });
  const at = (name: string, value: number): string => graph.constant(`count/${name}`, [1], Int32Array.of(value));
  const count = graph.node('count', 'StridedSlice', [shape, at('begin', 0), at('end', 1), at('strides', 1)], {
    T: INT,
    Index: INT,
    begin_mask: integer(0),
    end_mask: integer(0),
    ellipsis_mask: integer(0),
    new_axis_mask: integer(0),
    shrink_axis_mask: integer(1),
  });
  /** Kernel 4, stride 2. @param pad pixels that are cut off at every side, as PyTorch says it */
  const transposed = (x: string, layer: string, pad: number, side: number, channels: number): string => {
    const sizes = ['height', 'width', 'channels'].map((name, i) =>
      graph.scalar(`${layer}/${name}`, [side, side, channels][i] ?? 0),
    );
    const output = graph.node(`${layer}/shape`, 'Pack', [count, ...sizes], {
      T: INT,
      N: integer(4),
      axis: integer(0),
    });
    return graph.node(layer, 'Conv2DBackpropInput', [output, weight(`${layer}.weight`), x], {
      T: FLOAT,
      strides: integers([1, 2, 2, 1]),
      dilations: integers([1, 1, 1, 1]),
      padding: text('EXPLICIT'),
      explicit_paddings: integers([0, 0, pad, pad, pad, pad, 0, 0]),
      data_format: text('NHWC'),
    });
  };

  const product = graph.node('main.0', 'MatMul', [z, weight('main.0.weight')], {
    T: FLOAT,
    transpose_a: { b: false },
    transpose_b: { b: false },
  });
  const first = graph.constant('main.0/shape', [4], Int32Array.of(-1, 4, 4, 128));
  const hidden = graph.node('main.0/pixels', 'Reshape', [product, first], { T: FLOAT, Tshape: INT });
  const active1 = normalised(hidden, 'main.1');
  const active2 = normalised(transposed(active1, 'main.3', 1, 8, 64), 'main.4');
  const active3 = normalised(transposed(active2, 'main.6', 1, 16, 32), 'main.7');
  const images = graph.node('images', 'Tanh', [transposed(active3, 'main.9', 3, 28, 1)], { T: FLOAT });

  const signed = (name: string, dims: readonly number[]) => ({
    name: `${name}:0`,
    dtype: 'DT_FLOAT' as const,
    tensorShape: dimensions(dims),
  });
  return {
    json: {
      format: 'graph-model',
      generatedBy: `ganglion ${origin.ganglion}`,
      convertedBy: 'ganglion export',
      signature: {
        inputs: { z: signed(z, [-1, latent]) },
        outputs: { images: signed(images, [-1, 28, 28, 1]) },
      },
      modelTopology: { node: graph.nodes, versions: { producer: PRODUCER } },
      weightsManifest: [{ paths: [WEIGHTS_FILE], weights: graph.entries }],
      userDefinedMetadata: { run: origin.run, step: origin.step, stateSha256: origin.stateSha256 },
    },
    weights: Buffer.concat(graph.bytes),
  };
}
