// Convolutions at the images: kernel 4, stride 2. Those of the seed's model, of 28 x 28 pixels and one channel to 16 x 16 of N channels with a
// margin of 3, have kernels of their own. The chains are those of workers/engines/kernels/image.h.
#pragma once
#include "device.h"

DEVICE float imagePixel(const float* images, int b, int y, int x) {
  return y >= 0 && y < 28 && x >= 0 && x < 28 ? images[((i64)b * 28 + y) * 28 + x] : 0;
}

/** images, filter [4, 4, N] -> y [B, 16, 16, N]; a thread four channels of a pixel. */
template <int N>
DEVICE void convolveImagesOf(const float* images, const float* filter, float* y, int B) {
  const i64 at = placeInGrid() * 4;
  if (at >= (i64)B * 256 * N) return;
  const int n = at % N, ox = at / N % 16, oy = at / N / 16 % 16, b = at / N / 256;
  Four acc = {{0, 0, 0, 0}};
  UNROLL for (int tap = 0; tap < 16; tap++) {
    const float pixel = imagePixel(images, b, 2 * oy + tap / 4 - 3, 2 * ox + tap % 4 - 3);
    const Four w = load4(filter + tap * N + n);
    UNROLL for (int j = 0; j < 4; j++) acc.v[j] = fFma(pixel, w.v[j], acc.v[j]);
  }
  store4(y + at, acc);
}

/** x [B, 16, 16, N], filter [4, 4, N] -> images; a thread a pixel gathers its four patches. */
template <int N>
DEVICE void convolveToImagesOf(const float* x, const float* filter, float* images, int B) {
  const i64 at = placeInGrid();
  if (at >= (i64)B * 784) return;
  const int column = at % 28 + 3, row = at / 28 % 28 + 3, b = at / 784, last = column / 2;
  const float *features[4], *taps[4];
  float patches[4];
  UNROLL for (int patch = 0; patch < 4; patch++) {
    const int oy = row / 2 - 1 + patch / 2, ox = last % 2 == patch % 2 ? last : last - 1; // of two in a row, the even one first
    features[patch] = x + (((i64)b * 16 + oy) * 16 + ox) * N;
    taps[patch] = filter + ((row - 2 * oy) * 4 + column - 2 * ox) * N;
    patches[patch] = 0;
  }
  UNROLL for (int n = 0; n < N; n += 4) UNROLL for (int patch = 0; patch < 4; patch++) {
    const Four f = load4(features[patch] + n), t = load4(taps[patch] + n);
    UNROLL for (int j = 0; j < 4; j++) patches[patch] = fFma(f.v[j], t.v[j], patches[patch]);
  }
  float sum = 0;
  UNROLL for (int patch = 0; patch < 4; patch++) sum = fAdd(sum, patches[patch]);
  images[at] = sum;
}

/** images, dy [B, 16, 16, N] -> parts [B, 4, 4, N]; a block an image, a thread four taps of a channel. */
template <int N>
DEVICE void imagesFilterPartsOf(const float* images, const float* dy, float* parts) {
  constexpr int P = 36;
  SHARED float padded[34 * P], gradients[256 * N];
  const int b = BLOCK, n = TID % N, ky = TID / N;
  for (int at = TID; at < 34 * P; at += THREADS) padded[at] = imagePixel(images, b, at / P - 3, at % P - 3);
  for (int at = TID * 4; at < 256 * N; at += THREADS * 4) store4(gradients + at, load4(dy + (i64)b * 256 * N + at));
  barrier();
  float acc[4] = {0, 0, 0, 0};
  for (int oy = 0; oy < 16; oy++) {
    const float* row = padded + (2 * oy + ky) * P;
    UNROLL for (int ox = 0; ox < 16; ox++) {
      const float gradient = gradients[(oy * 16 + ox) * N + n];
      UNROLL for (int kx = 0; kx < 4; kx++) acc[kx] = fFma(row[2 * ox + kx], gradient, acc[kx]);
    }
  }
  UNROLL for (int kx = 0; kx < 4; kx++) parts[((i64)b * 16 + ky * 4 + kx) * N + n] = acc[kx];
}

/** parts [shard, count, size] -> sums [shard, size] in order; a thread a value of a shard (y). */
KERNEL(sumParts, 256, const float* parts, float* sums, int count, int size) {
  const int at = placeInGrid();
  if (at >= size) return;
  const float* own = parts + (i64)BLOCK_Y * count * size + at;
  float total = *own;
  UNROLL_16 for (int i = 1; i < count; i++) total = fAdd(total, own[(i64)i * size]);
  sums[BLOCK_Y * size + at] = total;
}

#define IMAGES(N)                                                                                                                  \
  KERNEL(convolveImages_##N, 256, const float* images, const float* filter, float* y, int B) {                                      \
    convolveImagesOf<N>(images, filter, y, B);                                                                                      \
  }                                                                                                                                 \
  KERNEL(convolveToImages_##N, 256, const float* x, const float* filter, float* images, int B) {                                    \
    convolveToImagesOf<N>(x, filter, images, B);                                                                                    \
  }                                                                                                                                 \
  BLOCK_KERNEL(imagesFilterParts_##N, 4 * N, const float* images, const float* dy, float* parts) {                                  \
    imagesFilterPartsOf<N>(images, dy, parts);                                                                                      \
  }
IMAGES(16)
IMAGES(32)

/** Features along a side for images of S pixels. */
DEVICE int featuresOf(int S) { return S == 28 ? 16 : S / 2; }
DEVICE int marginOf(int S) { return S == 28 ? 3 : 1; }

/** images [B, S, S, C], filter [4, 4, C, N] -> y [B, O, O, N]; a thread four channels of a pixel. */
KERNEL(convolveImages_any, 256, const float* images, const float* filter, float* y, int B, int S, int C, int N) {
  const int O = featuresOf(S), margin = marginOf(S);
  const i64 at = placeInGrid() * 4;
  if (at >= (i64)B * O * O * N) return;
  const int n = at % N, pixel = at / N, ox = pixel % O, oy = pixel / O % O, b = pixel / O / O;
  Four acc = {{0, 0, 0, 0}};
  for (int tap = 0; tap < 16; tap++) {
    const int row = 2 * oy + tap / 4 - margin, column = 2 * ox + tap % 4 - margin;
    const bool isInside = row >= 0 && row < S && column >= 0 && column < S;
    for (int c = 0; c < C; c++) {
      const float value = isInside ? images[(((i64)b * S + row) * S + column) * C + c] : 0;
      const Four w = load4(filter + (tap * C + c) * N + n);
      UNROLL for (int j = 0; j < 4; j++) acc.v[j] = fFma(value, w.v[j], acc.v[j]);
    }
  }
  store4(y + at, acc);
}

/** x [B, O, O, N], filter [4, 4, C, N] -> images [B, S, S, C]; a thread a value gathers its four patches. */
KERNEL(convolveToImages_any, 256, const float* x, const float* filter, float* images, int B, int S, int C, int N) {
  const int O = featuresOf(S), margin = marginOf(S);
  const i64 at = placeInGrid();
  if (at >= (i64)B * S * S * C) return;
  const int c = at % C, pixel = at / C, column = pixel % S + margin, row = pixel / S % S + margin, b = pixel / S / S;
  float sum = 0;
  for (int patch = 0; patch < 4; patch++) {
    const int oy = row / 2 - 1 + patch / 2, last = column / 2, ox = last % 2 == patch % 2 ? last : last - 1; // the even one first
    if (oy < 0 || oy >= O || ox < 0 || ox >= O) continue;
    const float* features = x + (((i64)b * O + oy) * O + ox) * N;
    const float* taps = filter + (((row - 2 * oy) * 4 + column - 2 * ox) * C + c) * N;
    float value = 0;
    UNROLL_4 for (int n = 0; n < N; n += 4) {
      const Four f = load4(features + n), t = load4(taps + n);
      UNROLL for (int j = 0; j < 4; j++) value = fFma(f.v[j], t.v[j], value);
    }
    sum = fAdd(sum, value);
  }
  images[at] = sum;
}

/** images, dy [B, O, O, N] -> parts [B, 4, 4, C, N]; a thread a value of an image (y). */
KERNEL(imagesFilterParts_any, 256, const float* images, const float* dy, float* parts, int S, int C, int N) {
  const int O = featuresOf(S), margin = marginOf(S), at = placeInGrid(), size = 16 * C * N, b = BLOCK_Y;
  if (at >= size) return;
  const int n = at % N, c = at / N % C, tap = at / N / C;
  float acc = 0;
  for (int oy = 0; oy < O; oy++) {
    const int row = 2 * oy + tap / 4 - margin;
    UNROLL_4 for (int ox = 0; ox < O; ox++) {
      const int column = 2 * ox + tap % 4 - margin;
      const bool isInside = row >= 0 && row < S && column >= 0 && column < S;
      const float pixel = isInside ? images[(((i64)b * S + row) * S + column) * C + c] : 0;
      acc = fFma(pixel, dy[(((i64)b * O + oy) * O + ox) * N + n], acc);
    }
  }
  parts[(i64)b * size + at] = acc;
}
