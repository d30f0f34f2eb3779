// The kernels of tfjs-core that the portable executor is made of, with types. Called directly: without the checks, casts and
// gradient tape of `tf.*`. Layout NHWC, float32.
import type { Tensor } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import type { Shape } from '../../../shared/model/graph.ts';

type Attributes = Parameters<ReturnType<typeof tf.engine>['runKernel']>[2];

function run(name: string, inputs: Record<string, Tensor>, attributes: Attributes = {}): Tensor {
  return tf.engine().runKernel<Tensor>(name, inputs, attributes);
}

export const add = (a: Tensor, b: Tensor): Tensor => run('Add', { a, b });
export const subtract = (a: Tensor, b: Tensor): Tensor => run('Sub', { a, b });
export const multiply = (a: Tensor, b: Tensor): Tensor => run('Multiply', { a, b });
export const negate = (x: Tensor): Tensor => run('Neg', { x });
export const square = (x: Tensor): Tensor => run('Square', { x });
export const rsqrt = (x: Tensor): Tensor => run('Rsqrt', { x });
export const relu = (x: Tensor): Tensor => run('Relu', { x });
export const tanh = (x: Tensor): Tensor => run('Tanh', { x });
export const sigmoid = (x: Tensor): Tensor => run('Sigmoid', { x });
/** 1 where x is above 0, else `alpha`. */
export const step = (x: Tensor, alpha: number): Tensor => run('Step', { x }, { alpha });

/** The same buffer in another shape. */
export const reshape = (x: Tensor, shape: Shape): Tensor => run('Reshape', { x }, { shape: [...shape] });
export const transpose = (x: Tensor, perm: readonly number[]): Tensor => run('Transpose', { x }, { perm: [...perm] });
/** Zeros before and after, a pair an axis. */
export const pad = (x: Tensor, paddings: readonly (readonly [number, number])[]): Tensor =>
  run('PadV2', { x }, { paddings: paddings.map((pair) => [...pair]), constantValue: 0 });
/** Product of two matrices. */
export const matMul = (a: Tensor, b: Tensor): Tensor =>
  run('BatchMatMul', { a, b }, { transposeA: false, transposeB: false });

/** x [B, H, W, I], filter [h, w, I, O] -> [B, H', W', O]. */
export function convolution(x: Tensor, filter: Tensor, stride: number, padding: number): Tensor {
  const attributes = { strides: [stride, stride], pad: padding, dataFormat: 'NHWC', dilations: [1, 1] };
  return run('Conv2D', { x, filter }, attributes);
}

/** Gradient of a convolution by its input, `shape` [B, H, W, I]. */
export function convolutionInputGradient(
  dy: Tensor,
  filter: Tensor,
  stride: number,
  padding: number,
  shape: Shape,
): Tensor {
  const attributes = { strides: [stride, stride], pad: padding, dataFormat: 'NHWC', inputShape: [...shape] };
  return run('Conv2DBackpropInput', { dy, filter }, attributes);
}

/** Gradient of a convolution by its filter, `shape` [h, w, I, O]. */
export function convolutionFilterGradient(
  x: Tensor,
  dy: Tensor,
  stride: number,
  padding: number,
  shape: Shape,
): Tensor {
  const attributes = { strides: [stride, stride], pad: padding, dataFormat: 'NHWC', filterShape: [...shape] };
  return run('Conv2DBackpropFilter', { x, dy }, attributes);
}

const POINTWISE = { strides: [1, 1], pad: 'valid', dataFormat: 'NHWC', dilations: [1, 1] };

/** activation(x * scale + offset), channel by channel: x [B, H, W, C], scale and offset [C]. */
export function scaleAndShift(
  x: Tensor,
  scale: Tensor,
  offset: Tensor,
  activation: 'linear' | 'relu' = 'linear',
): Tensor {
  const filter = reshape(scale, [1, 1, scale.size, 1]);
  return run('FusedDepthwiseConv2D', { x, filter, bias: offset }, { ...POINTWISE, activation });
}

/** x * scale, channel by channel. */
export function scaled(x: Tensor, scale: Tensor): Tensor {
  return run('DepthwiseConv2dNative', { x, filter: reshape(scale, [1, 1, scale.size, 1]) }, POINTWISE);
}

const average = (x: Tensor, height: number, width: number): Tensor =>
  run('AvgPool', { x }, { filterSize: [height, width], strides: [1, 1], pad: 'valid' });

/** Mean over all axes but the last, [C]; of an image first, then over the batch, which rounds less than one long sum. */
export function channelMean(x: Tensor): Tensor {
  const [batch = 1, height = 1, width = 1, channels = 1] =
    x.shape.length === 4 ? x.shape : [x.shape[0], 1, 1, x.shape[1]];
  const images = height * width === 1 ? x : average(x, height, width);
  return reshape(average(reshape(images, [1, batch, 1, channels]), batch, 1), [channels]);
}
