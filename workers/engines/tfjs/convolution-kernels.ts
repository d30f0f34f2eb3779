// The convolutions of the model (kernel 4, stride 2, even output sizes of their gradients) by kernels of tfjs-core. Where a backend's
// own kernels are good, they are taken as they are; in WebAssembly the gradients are composed of forward convolutions, which run at
// 14 to 28 GFLOP/s there, the kernel Conv2DBackpropInput at 1.4, and Conv2DBackpropFilter is missing.
import type { Tensor } from '@tensorflow/tfjs-core';
import { type Shape, sizeOf } from '../../../shared/model/graph.ts';
import * as kernel from './tfjs-ops.ts';

/** The three convolutions. Suffixes: B batch, H W input, h w output, I O channels; padding in pixels on every side. */
export interface Convolutions {
  /** x [B, H, W, I], filter [4, 4, I, O] -> [B, h, w, O]. */
  forward(x: Tensor, filter: Tensor, padding: number): Tensor;
  /** dy [B, h, w, O], filter [4, 4, I, O] -> `shape` [B, H, W, I]. */
  inputGradient(dy: Tensor, filter: Tensor, padding: number, shape: Shape): Tensor;
  /** x [B, H, W, I], dy [B, h, w, O] -> `shape` [4, 4, I, O]. */
  filterGradient(x: Tensor, dy: Tensor, padding: number, shape: Shape): Tensor;
}

/** Of every convolution here. */
export const STRIDE = 2;

const forward: Convolutions['forward'] = (x, filter, padding) =>
  kernel.convolution(x, filter, STRIDE, kernel.evenMargins(padding));

/** The backend's own kernels. */
export const STOCK_CONVOLUTIONS: Convolutions = {
  forward,
  inputGradient: (dy, filter, padding, shape) => kernel.convolutionInputGradient(dy, filter, STRIDE, padding, shape),
  filterGradient: (x, dy, padding, shape) => kernel.convolutionFilterGradient(x, dy, STRIDE, padding, shape),
};

const PARITIES = [0, 1] as const;
type Parity = (typeof PARITIES)[number];

/**
 * Output pixel 2 n + r of a transposed convolution is 2 m + k - padding for its taps k, which all have one parity, `taps`: it takes the
 * pixels m - 1 (tap `taps` + 2) and m (tap `taps`), where m = n + `offset`.
 */
function windowOf(r: Parity, padding: number): { readonly taps: Parity; readonly offset: number } {
  const taps = (r + padding) % 2 === 0 ? 0 : 1;
  return { taps, offset: (r + padding - taps) / 2 };
}

/** The 2x2 taps of the output pixels of row parity r and column parity s, (r, s) in rows: filter [4, 4, I, O] -> [2, 2, O, I] each. */
function quarters(filter: Tensor, padding: number): { r: Parity; s: Parity; taps: Tensor }[] {
  const [, , input = 0, output = 0] = filter.shape;
  const transposed = kernel.transpose(kernel.reshape(filter, [16, input, output]), [0, 2, 1]);
  const tap = (row: number, column: number): Tensor =>
    kernel.slice(transposed, [row * 4 + column, 0, 0], [1, output, input]);
  return PARITIES.flatMap((r) =>
    PARITIES.map((s) => {
      const [k, l] = [windowOf(r, padding).taps, windowOf(s, padding).taps];
      const taps = [tap(k + 2, l + 2), tap(k + 2, l), tap(k, l + 2), tap(k, l)];
      return { r, s, taps: kernel.reshape(kernel.concat(taps, 0), [2, 2, output, input]) };
    }),
  );
}

/** Images of which every 2x2 block lies in the channels (r, s, C): [B, h, w, 4 C] -> [B, 2 h, 2 w, C]. */
function depthToSpace(x: Tensor): Tensor {
  const [batch = 0, height = 0, width = 0, depth = 0] = x.shape;
  const rows = kernel.transpose(kernel.reshape(x, [batch * height, width, 2, depth / 2]), [0, 2, 1, 3]);
  return kernel.reshape(rows, [batch, 2 * height, 2 * width, depth / 4]);
}

/** Four convolutions with 2x2 taps, one for every parity of row and column, whose outputs are interleaved. Padding 0 or 1. */
function byQuarters(dy: Tensor, filter: Tensor, padding: number, shape: Shape): Tensor {
  const [batch = 0, height = 0, width = 0, channels = 0] = shape;
  const [, h = 0, w = 0] = dy.shape;
  const margins = (parity: Parity, small: number, large: number): [number, number] => {
    const before = 1 - windowOf(parity, padding).offset;
    return [before, large / 2 + 1 - small - before];
  };
  const parts = quarters(filter, padding).map(({ r, s, taps }) => {
    const [top, bottom] = margins(r, h, height);
    const [left, right] = margins(s, w, width);
    return kernel.reshape(kernel.convolution(dy, taps, 1, { top, bottom, left, right }), [1, sizeOf(shape) / 4]);
  });
  const pixels = (batch * height * width) / 4;
  const columns = kernel.transpose(kernel.reshape(kernel.concat(parts, 0), [2, 2, pixels, channels]), [0, 2, 1, 3]);
  const rows = kernel.transpose(kernel.reshape(columns, [2, (batch * height) / 2, width * channels]), [1, 0, 2]);
  return kernel.reshape(rows, shape);
}

/**
 * One convolution to four output channels a channel, one for every parity; its taps are the quarters, each in its place among zeros.
 * For a single channel that is faster than four convolutions.
 */
function byOneConvolution(dy: Tensor, filter: Tensor, padding: number): Tensor {
  const [, , input = 0, output = 0] = filter.shape;
  const [first, second] = [windowOf(0, padding).offset, windowOf(1, padding).offset];
  const side = 2 + second - first;
  const place = (parity: Parity): [number, number] => (parity === 0 ? [0, side - 2] : [side - 2, 0]);
  const parts = quarters(filter, padding).map(({ r, s, taps }) => {
    const placed = kernel.pad(taps, [place(r), place(s), [0, 0], [0, 0]]);
    return kernel.reshape(placed, [1, side * side * output, input]);
  });
  const taps = kernel.transpose(kernel.concat(parts, 0), [1, 0, 2]);
  const margins = kernel.evenMargins(1 - first);
  return depthToSpace(kernel.convolution(dy, kernel.reshape(taps, [side, side, output, 4 * input]), 1, margins));
}

/** Four products, whose blocks of 2x2 pixels are added where they overlap: for small images of many channels. */
function byProducts(dy: Tensor, filter: Tensor, padding: number, shape: Shape): Tensor {
  const [, , input = 0, output = 0] = filter.shape;
  const [batch = 0, h = 0, w = 0] = dy.shape;
  const blocks = kernel.transpose(kernel.reshape(filter, [2, 2, 2, 2 * input * output]), [0, 2, 1, 3]);
  const transposed = kernel.transpose(kernel.reshape(blocks, [4, 4 * input, output]), [0, 2, 1]);
  const pixels = kernel.reshape(dy, [batch * h * w, output]);
  const placed = PARITIES.flatMap((i) =>
    PARITIES.map((j) => {
      const right = kernel.slice(transposed, [i * 2 + j, 0, 0], [1, output, 4 * input]);
      const product = kernel.matMul(pixels, kernel.reshape(right, [output, 4 * input]));
      const margins = { top: i, bottom: 1 - i, left: j, right: 1 - j };
      return kernel.pad(kernel.reshape(product, [batch, h, w, 4 * input]), kernel.paddingOf(margins));
    }),
  );
  const image = depthToSpace(placed.reduce(kernel.add));
  return padding === 0 ? image : kernel.slice(image, [0, padding, padding, 0], shape);
}

/** A convolution over the batch: the images' channels are its images, the batch its channels, dy its filter, two pixels apart. */
function byDilation(x: Tensor, dy: Tensor, padding: number): Tensor {
  const images = kernel.transpose(x, [3, 1, 2, 0]);
  const taps = kernel.transpose(dy, [1, 2, 0, 3]);
  const gradient = kernel.convolution(images, taps, 1, kernel.evenMargins(padding), 2);
  return kernel.transpose(gradient, [1, 2, 0, 3]);
}

/** The product of the transposed patches with dy: for a single input channel. */
function byPatches(x: Tensor, dy: Tensor, padding: number, shape: Shape): Tensor {
  const padded = padding === 0 ? x : kernel.pad(x, kernel.paddingOf(kernel.evenMargins(padding)));
  const [batch = 0, height = 0, width = 0, channels = 0] = padded.shape;
  const [, h = 0, w = 0, output = 0] = dy.shape;
  const pairs = kernel.reshape(padded, [batch, height / 2, 2, width * channels]);
  const patches: Tensor[] = [];
  for (let row = 0; row < 4; row++) {
    for (const pair of PARITIES) {
      const part = kernel.slice(pairs, [0, row >> 1, row & 1, pair * 2 * channels], [batch, h, 1, w * 2 * channels]);
      patches.push(kernel.transpose(kernel.reshape(part, [batch * h * w, 2 * channels]), [1, 0]));
    }
  }
  const product = kernel.matMul(kernel.concat(patches, 0), kernel.reshape(dy, [batch * h * w, output]));
  return kernel.reshape(product, shape);
}

/** The gradients by forward convolutions and products. */
export const COMPOSED_CONVOLUTIONS: Convolutions = {
  forward,
  inputGradient(dy, filter, padding, shape) {
    const [, h = 0] = dy.shape;
    const [, , input = 0] = filter.shape;
    if (padding === 3 || input === 1) return byOneConvolution(dy, filter, padding);
    return h === 4 && input === 32 ? byProducts(dy, filter, padding, shape) : byQuarters(dy, filter, padding, shape);
  },
  filterGradient: (x, dy, padding, shape) =>
    shape[2] === 1 ? byPatches(x, dy, padding, shape) : byDilation(x, dy, padding),
};
