// The TensorFlow operations the model needs, each with its shape inference. Layout NHWC, float32.
// Attributes and output order: TensorFlow's op definitions (tensorflow/core/ops/nn_ops.cc, math_ops.cc, array_ops.cc).
import { GanglionError } from '../error.ts';
import { type Attribute, FLOAT, type Graph, type Shape, single, type Tensor } from './graph.ts';
import { sizeOf } from './shape.ts';

/** How the filter of a convolution moves over the images. */
export interface Window {
  /** Pixels from one place to the next. */
  readonly stride: number;
  /** Zeros on every side of the images, in pixels. */
  readonly padding: number;
}

function wrong(op: string, expected: string, ...tensors: Tensor[]): never {
  const got = tensors.map((tensor) => `[${tensor.shape}]`).join(', ');
  throw new GanglionError('shape', `${op} expected ${expected}, got ${got}`);
}

function same(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((size, i) => size === b[i]);
}

function unary(graph: Graph, op: string, x: Tensor, attributes: Record<string, Attribute> = {}): Tensor {
  return single(graph.add(op, [x], { T: FLOAT, ...attributes }, [x]));
}

/** An operation on two tensors of one shape, or of a tensor and a scalar. */
function binary(graph: Graph, op: string, a: Tensor, b: Tensor, attributes: Record<string, Attribute> = {}): Tensor {
  if (!same(a.shape, b.shape) && b.shape.length !== 0) wrong(op, 'two equal shapes or a scalar second', a, b);
  return single(graph.add(op, [a, b], { T: FLOAT, ...attributes }, [a]));
}

export const add = (graph: Graph, a: Tensor, b: Tensor): Tensor => binary(graph, 'AddV2', a, b);
export const subtract = (graph: Graph, a: Tensor, b: Tensor): Tensor => binary(graph, 'Sub', a, b);
export const multiply = (graph: Graph, a: Tensor, b: Tensor): Tensor => binary(graph, 'Mul', a, b);
export const tanh = (graph: Graph, x: Tensor): Tensor => unary(graph, 'Tanh', x);
export const sigmoid = (graph: Graph, x: Tensor): Tensor => unary(graph, 'Sigmoid', x);
export const relu = (graph: Graph, x: Tensor): Tensor => unary(graph, 'Relu', x);

/** Gradient through tanh, from its output `y`. */
export const tanhGradient = (graph: Graph, y: Tensor, dy: Tensor): Tensor => binary(graph, 'TanhGrad', y, dy);
/** Gradient through ReLU, from its output `y`. */
export const reluGradient = (graph: Graph, dy: Tensor, y: Tensor): Tensor => binary(graph, 'ReluGrad', dy, y);

const slope = (alpha: number): Record<string, Attribute> => ({ alpha: { kind: 'float', value: alpha } });

export const leakyRelu = (graph: Graph, x: Tensor, alpha: number): Tensor => unary(graph, 'LeakyRelu', x, slope(alpha));
/** Gradient through LeakyReLU, from its output `y`, which has the sign of its input: so the fusions of Grappler survive. */
export const leakyReluGradient = (graph: Graph, dy: Tensor, y: Tensor, alpha: number): Tensor =>
  binary(graph, 'LeakyReluGrad', dy, y, slope(alpha));

/** The same values in another shape. */
export function reshape(graph: Graph, x: Tensor, shape: Shape): Tensor {
  if (sizeOf(x.shape) !== sizeOf(shape)) wrong('Reshape', `${sizeOf(shape)} values for shape [${shape}]`, x);
  const attributes = { T: FLOAT, Tshape: { kind: 'type', value: 'int32' } } as const;
  return single(graph.add('Reshape', [x, graph.integers(shape)], attributes, [{ shape, dtype: 'float32' }]));
}

/** Product of two matrices, either transposed first. */
export function matMul(
  graph: Graph,
  a: Tensor,
  b: Tensor,
  { transposeA = false, transposeB = false }: { transposeA?: boolean; transposeB?: boolean } = {},
): Tensor {
  const [rowsA, columnsA] = transposeA ? [a.shape[1], a.shape[0]] : [a.shape[0], a.shape[1]];
  const [rowsB, columnsB] = transposeB ? [b.shape[1], b.shape[0]] : [b.shape[0], b.shape[1]];
  if (a.shape.length !== 2 || b.shape.length !== 2 || columnsA !== rowsB) {
    wrong('MatMul', 'two matrices with an equal inner size', a, b);
  }
  const attributes = {
    T: FLOAT,
    transpose_a: { kind: 'bool', value: transposeA },
    transpose_b: { kind: 'bool', value: transposeB },
  } as const;
  const shape = [rowsA ?? 0, columnsB ?? 0];
  return single(graph.add('MatMul', [a, b], attributes, [{ shape, dtype: 'float32' }]));
}

/** The two convolutions' shapes and attributes, of images [B, H, W, I] and a filter [k, l, I, O]. */
interface Placed {
  /** [B, h, w, O]. */
  readonly shape: Shape;
  readonly attributes: Record<string, Attribute>;
}

function place(op: string, images: Shape, filter: Tensor, { stride, padding }: Window): Placed {
  const [batch = 0, height = 0, width = 0, channels] = images;
  const [rows = 0, columns = 0, filterInput, filterOutput = 0] = filter.shape;
  if (images.length !== 4 || filter.shape.length !== 4 || channels !== filterInput) {
    wrong(op, `a filter [height, width, ${channels}, out] for an input of [${images}]`, filter);
  }
  // What is left over at one side only would be lost in one direction, and SAME would pad that side more.
  const ways = [height + 2 * padding - rows, width + 2 * padding - columns];
  if (ways.some((way) => way < 0 || way % stride !== 0)) {
    wrong(
      op,
      `with padding ${padding} and stride ${stride} an input that the filter covers evenly, not [${images}]`,
      filter,
    );
  }
  const [h = 0, w = 0] = ways.map((way) => way / stride + 1);
  const isSame = [h * stride - height, w * stride - width].every((left) => left >= 0 && left < stride);
  const name = padding === 0 ? 'VALID' : isSame ? 'SAME' : 'EXPLICIT';
  const margins = [0, 0, padding, padding, padding, padding, 0, 0];
  return {
    shape: [batch, h, w, filterOutput],
    attributes: {
      T: FLOAT,
      strides: { kind: 'ints', value: [1, stride, stride, 1] },
      padding: { kind: 'text', value: name },
      explicit_paddings: { kind: 'ints', value: name === 'EXPLICIT' ? margins : [] },
      data_format: { kind: 'text', value: 'NHWC' },
      dilations: { kind: 'ints', value: [1, 1, 1, 1] },
      use_cudnn_on_gpu: { kind: 'bool', value: true },
    },
  };
}

/** Convolution: x [B, H, W, I], filter [k, l, I, O] -> [B, h, w, O]. */
export function convolution(graph: Graph, x: Tensor, filter: Tensor, window: Window): Tensor {
  const { shape, attributes } = place('Conv2D', x.shape, filter, window);
  return single(graph.add('Conv2D', [x, filter], attributes, [{ shape, dtype: 'float32' }]));
}

/**
 * Transposed convolution, the gradient of a convolution by its input: y [B, h, w, O], filter [k, l, I, O] -> `shape` [B, H, W, I].
 *
 * @param window of that convolution
 */
export function transposedConvolution(graph: Graph, y: Tensor, filter: Tensor, window: Window, shape: Shape): Tensor {
  const { shape: expected, attributes } = place('Conv2DBackpropInput', shape, filter, window);
  if (!same(y.shape, expected)) wrong('Conv2DBackpropInput', `[${expected}] to reach [${shape}]`, y);
  const inputs = [graph.integers(shape), filter, y];
  return single(graph.add('Conv2DBackpropInput', inputs, attributes, [{ shape, dtype: 'float32' }]));
}

/** Zeros around every image: x [B, H, W, C] -> [B, H + 2 padding, W + 2 padding, C]. */
function pad(graph: Graph, x: Tensor, padding: number): Tensor {
  const [batch = 0, height = 0, width = 0, channels = 0] = x.shape;
  const margins = graph.constant(Int32Array.of(0, 0, padding, padding, padding, padding, 0, 0), [4, 2]);
  const shape = [batch, height + 2 * padding, width + 2 * padding, channels];
  const attributes = { T: FLOAT, Tpaddings: { kind: 'type', value: 'int32' } } as const;
  return single(graph.add('Pad', [x, margins], attributes, [{ shape, dtype: 'float32' }]));
}

/** Gradient of a convolution by its filter: x [B, H, W, I], dy [B, h, w, O] -> `shape` [k, l, I, O]. */
export function filterGradient(graph: Graph, x: Tensor, dy: Tensor, window: Window, shape: Shape): Tensor {
  const filter: Tensor = { node: 'filter', output: 0, shape, dtype: 'float32' };
  const placed = place('Conv2DBackpropFilter', x.shape, filter, window);
  if (!same(dy.shape, placed.shape)) {
    wrong('Conv2DBackpropFilter', `[${placed.shape}] for [${x.shape}] by [${shape}]`, dy);
  }
  // With explicit padding TensorFlow takes a kernel of its own instead of oneDNN's: 0.39 ms for 32 images of one channel,
  // 0.07 ms when they are padded first.
  const { padding } = placed.attributes;
  const isExplicit = padding?.kind === 'text' && padding.value === 'EXPLICIT';
  const images = isExplicit ? pad(graph, x, window.padding) : x;
  const { attributes } = isExplicit
    ? place('Conv2DBackpropFilter', images.shape, filter, { ...window, padding: 0 })
    : placed;
  return single(
    graph.add('Conv2DBackpropFilter', [images, graph.integers(shape), dy], attributes, [{ shape, dtype: 'float32' }]),
  );
}

const FORMAT = { data_format: { kind: 'text', value: 'NHWC' } } as const;

/** Adds `bias` [C] to the last axis. */
export function addBias(graph: Graph, x: Tensor, bias: Tensor): Tensor {
  if (bias.shape.length !== 1 || x.shape.at(-1) !== bias.shape[0]) wrong('BiasAdd', `a bias [${x.shape.at(-1)}]`, bias);
  if (x.shape.length < 2) wrong('BiasAdd', 'an input of at least two axes', x);
  return single(graph.add('BiasAdd', [x, bias], { T: FLOAT, ...FORMAT }, [x]));
}

/** Gradient of the bias: the sum of `dy` over all axes but the last. */
export function biasGradient(graph: Graph, dy: Tensor): Tensor {
  if (dy.shape.length < 2) wrong('BiasAddGrad', 'a gradient of at least two axes', dy);
  const shape = [dy.shape.at(-1) ?? 0];
  return single(graph.add('BiasAddGrad', [dy], { T: FLOAT, ...FORMAT }, [{ shape, dtype: 'float32' }]));
}

/** What a BatchNorm on batch statistics gives: its output, those statistics, and what its gradient needs. */
export interface BatchNorm {
  readonly x: Tensor;
  readonly scale: Tensor;
  /** Added to the variance. */
  readonly epsilon: number;
  readonly y: Tensor;
  /** Mean of the batch, [C]. */
  readonly mean: Tensor;
  /** Unbiased variance of the batch, [C]: what PyTorch adds to its running variance. */
  readonly variance: Tensor;
  readonly reserved: readonly [Tensor, Tensor, Tensor];
}

function normAttributes(epsilon: number, isTraining: boolean): Record<string, Attribute> {
  return {
    T: FLOAT,
    U: FLOAT,
    epsilon: { kind: 'float', value: epsilon },
    is_training: { kind: 'bool', value: isTraining },
    ...FORMAT,
  };
}

function checkChannels(op: string, x: Tensor, ...vectors: Tensor[]): number {
  const channels = x.shape.at(-1) ?? 0;
  if (x.shape.length !== 4) wrong(op, 'an input [B, H, W, C]', x);
  for (const vector of vectors) if (!same(vector.shape, [channels])) wrong(op, `vectors [${channels}]`, vector);
  return channels;
}

/** BatchNorm on the statistics of the batch: x [B, H, W, C], scale and offset [C]. */
export function batchNorm(graph: Graph, x: Tensor, scale: Tensor, offset: Tensor, epsilon: number): BatchNorm {
  const channels = checkChannels('FusedBatchNormV3', x, scale, offset);
  const empty = graph.constant(new Float32Array(0), [0]);
  const vector = { shape: [channels], dtype: 'float32' } as const;
  const attributes = { ...normAttributes(epsilon, true), exponential_avg_factor: { kind: 'float', value: 1 } as const };
  const outputs = [x, vector, vector, vector, vector, vector];
  const [y, mean, variance, r1, r2, r3] = graph.add(
    'FusedBatchNormV3',
    [x, scale, offset, empty, empty],
    attributes,
    outputs,
  );
  if (!y || !mean || !variance || !r1 || !r2 || !r3) throw new Error('FusedBatchNormV3 has six outputs');
  return { x, scale, epsilon, y, mean, variance, reserved: [r1, r2, r3] };
}

/** BatchNorm on given statistics, as at evaluation. */
export function fixedBatchNorm(
  graph: Graph,
  x: Tensor,
  [scale, offset, mean, variance]: readonly [Tensor, Tensor, Tensor, Tensor],
  epsilon: number,
): Tensor {
  checkChannels('FusedBatchNormV3', x, scale, offset, mean, variance);
  const vector = { shape: scale.shape, dtype: 'float32' } as const;
  const outputs = [x, vector, vector, vector, vector, vector];
  const [y] = graph.add(
    'FusedBatchNormV3',
    [x, scale, offset, mean, variance],
    normAttributes(epsilon, false),
    outputs,
  );
  if (!y) throw new Error('FusedBatchNormV3 has six outputs');
  return y;
}

/** Gradients through a BatchNorm on batch statistics, of its input, scale and offset. */
export function batchNormGradient(
  graph: Graph,
  norm: BatchNorm,
  dy: Tensor,
): { readonly dx: Tensor; readonly dScale: Tensor; readonly dOffset: Tensor } {
  if (!same(dy.shape, norm.x.shape)) wrong('FusedBatchNormGradV3', `[${norm.x.shape}]`, dy);
  const empty = { shape: [0], dtype: 'float32' } as const;
  const [dx, dScale, dOffset] = graph.add(
    'FusedBatchNormGradV3',
    [dy, norm.x, norm.scale, ...norm.reserved],
    normAttributes(norm.epsilon, true),
    [norm.x, norm.scale, norm.scale, empty, empty],
  );
  if (!dx || !dScale || !dOffset) throw new Error('FusedBatchNormGradV3 has five outputs');
  return { dx, dScale, dOffset };
}
