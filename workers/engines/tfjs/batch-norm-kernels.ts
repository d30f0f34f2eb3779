// BatchNorm and its gradient by kernels of tfjs-core: means by average pooling, scale and offset by a depthwise 1x1 convolution.
// Shapes: x, y, dx, dy [B, H, W, C]; all others [C].
import type { Tensor } from '@tensorflow/tfjs-core';
import type { Constants } from './constants.ts';
import * as kernel from './tfjs-ops.ts';

/** A BatchNorm layer, as far as its kernels need to know. */
export interface Norm {
  readonly epsilon: number;
  /** What follows it in the same go. */
  readonly activation: 'linear' | 'relu';
  readonly constants: Constants;
}

/** What the forward pass on the statistics of the batch gives. */
interface Normed {
  readonly y: Tensor;
  readonly mean: Tensor;
  /** Unbiased. */
  readonly variance: Tensor;
  /** For the gradient: the input less its mean, 1 / sqrt(variance + epsilon), and that times the scale. */
  readonly centred: Tensor;
  readonly inverse: Tensor;
  readonly factor: Tensor;
}

/** BatchNorm on the statistics of the batch. */
export function batchNorm(x: Tensor, scale: Tensor, offset: Tensor, norm: Norm): Normed {
  const { epsilon, activation, constants } = norm;
  const count = x.size / scale.size;
  const mean = kernel.channelMean(x);
  const centred = centre(x, mean, constants);
  const biased = kernel.channelMean(kernel.square(centred));
  const inverse = kernel.rsqrt(kernel.add(biased, constants.scalar(epsilon)));
  const factor = kernel.multiply(scale, inverse);
  const y = kernel.scaleAndShift(centred, factor, offset, activation);
  const variance = kernel.multiply(biased, constants.scalar(count / Math.max(1, count - 1)));
  return { y, mean, variance, centred, inverse, factor };
}

function centre(x: Tensor, mean: Tensor, constants: Constants): Tensor {
  return kernel.scaleAndShift(x, constants.filled(mean.shape, 1), kernel.negate(mean));
}

/** BatchNorm on given statistics. */
export function fixedBatchNorm(
  x: Tensor,
  [scale, offset, mean, variance]: readonly [Tensor, Tensor, Tensor, Tensor],
  { epsilon, activation, constants }: Norm,
): Tensor {
  const inverse = kernel.rsqrt(kernel.add(variance, constants.scalar(epsilon)));
  return kernel.scaleAndShift(centre(x, mean, constants), kernel.multiply(scale, inverse), offset, activation);
}

/**
 * Gradients through a BatchNorm on the statistics of the batch (Ioffe and Szegedy 2015, section 3):
 * dx = scale * inverse * (dy - mean(dy) - centred * inverse^2 * mean(dy * centred)).
 */
export function batchNormGradient(
  dy: Tensor,
  { centred, inverse, factor }: Pick<Normed, 'centred' | 'inverse' | 'factor'>,
  constants: Constants,
): { readonly dx: Tensor; readonly dScale: Tensor; readonly dOffset: Tensor } {
  const count = constants.scalar(dy.size / factor.size);
  const meanDy = kernel.channelMean(dy);
  const meanProduct = kernel.channelMean(kernel.multiply(dy, centred));
  const curvature = kernel.multiply(kernel.multiply(factor, kernel.square(inverse)), meanProduct);
  const direct = kernel.scaleAndShift(dy, factor, kernel.negate(kernel.multiply(factor, meanDy)));
  return {
    dx: kernel.add(direct, kernel.scaled(centred, kernel.negate(curvature))),
    dScale: kernel.multiply(kernel.multiply(meanProduct, inverse), count),
    dOffset: kernel.multiply(meanDy, count),
  };
}
