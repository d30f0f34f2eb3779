// BatchNorm with the activation after it, forward and backward, and biases, with the sums of workers/engines/kernels/norm.h: float32 over
// chunks of 64 pixels, float64 over 16 of these, and over those.
#pragma once
#include "device.h"

constexpr int CHUNK = 64, CHUNKS = 16;

/** chunks [chunk, KINDS, C] of a block's chunk; thread c, j has every fourth pixel. term(pixel, c, sums) adds to them. */
template <int KINDS, int C, class Term>
DEVICE void sumChunk(float* chunks, int pixels, Term term) {
  SHARED float parts[4][KINDS][C];
  const int c = TID % C, j = TID / C, first = BLOCK * CHUNK, last = first + CHUNK < pixels ? first + CHUNK : pixels;
  const int whole = first + (last - first) / 4 * 4;
  float sums[KINDS];
  UNROLL for (int k = 0; k < KINDS; k++) sums[k] = 0;
  for (int p = first + j; p < whole; p += 4) term((i64)p * C + c, c, sums);
  if (j == 0)
    for (int p = whole; p < last; p++) term((i64)p * C + c, c, sums);
  UNROLL for (int k = 0; k < KINDS; k++) parts[j][k][c] = sums[k];
  barrier();
  if (j < KINDS) chunks[((i64)BLOCK * KINDS + j) * C + c] = fAdd(fAdd(parts[0][j][c], parts[1][j][c]), fAdd(parts[2][j][c], parts[3][j][c]));
}

/** Sum `place` of the chunks of `pixels`, of `width` a chunk. */
DEVICE double sumChunks(const float* chunks, int place, int width, int pixels) {
  const int count = (pixels + CHUNK - 1) / CHUNK;
  double sum = 0;
  for (int first = 0; first < count; first += CHUNKS) {
    double some = 0;
    for (int chunk = first; chunk < count && chunk < first + CHUNKS; chunk++) some = dAdd(some, widen(chunks[(i64)chunk * width + place]));
    sum = dAdd(sum, some);
  }
  return sum;
}

template <int C>
DEVICE void normaliseSumsOf(const float* x, float* chunks, int pixels) {
  sumChunk<2, C>(chunks, pixels, [&](i64 at, int c, float* sums) {
    const float v = fSub(x[at], x[c]);
    sums[0] = fAdd(sums[0], v), sums[1] = fFma(v, v, sums[1]);
  });
}

/** Every block adds up the chunks by itself, then transforms its pixels; block 0 writes the statistics. */
template <int C>
DEVICE void normaliseOf(const float* x, const float* chunks, const float* weight, const float* bias, float slope, float* y, float* mean,
                        float* variance, float* inverse, int pixels) {
  SHARED float factor[C], shift[C];
  SHARED double sums[2 * C];
  for (int s = TID; s < 2 * C; s += THREADS) sums[s] = sumChunks(chunks, s, 2 * C, pixels);
  barrier();
  for (int c = TID; c < C; c += THREADS) {
    const double count = pixels, distance = dDiv(sums[c], count), m = dAdd(widen(x[c]), distance);
    const double squares = dSub(dDiv(sums[C + c], count), dMul(distance, distance)), v = squares > 0 ? squares : 0;
    const double i = dDiv(1, dSqrt(dAdd(v, 1e-5))), f = dMul(widen(weight[c]), i);
    factor[c] = narrow(f);
    shift[c] = narrow(dSub(widen(bias[c]), dMul(m, f)));
    if (BLOCK > 0) continue;
    mean[c] = narrow(m);
    variance[c] = narrow(pixels > 1 ? dDiv(dMul(v, count), (double)(pixels - 1)) : v);
    inverse[c] = narrow(i);
  }
  barrier();
  for (i64 at = placeInGrid(); at < (i64)pixels * C; at += (i64)GRID * THREADS) y[at] = activate(fFma(x[at], factor[at % C], shift[at % C]), slope);
}

template <int C>
DEVICE void gradientSumsOf(const float* dy, const float* y, const float* x, const float* mean, float slope, float* chunks, int pixels) {
  sumChunk<2, C>(chunks, pixels, [&](i64 at, int c, float* sums) {
    const float d = throughActivation(dy[at], y[at], slope);
    sums[0] = fAdd(sums[0], d), sums[1] = fFma(d, fSub(x[at], mean[c]), sums[1]);
  });
}

template <int C>
DEVICE void normaliseGradientOf(const float* dy, const float* y, const float* x, const float* chunks, const float* weight, const float* mean,
                                const float* inverse, float slope, float* dx, float* dWeight, float* dBias, int pixels) {
  SHARED float a[C], b[C], shift[C];
  SHARED double sums[2 * C];
  for (int s = TID; s < 2 * C; s += THREADS) sums[s] = sumChunks(chunks, s, 2 * C, pixels);
  barrier();
  for (int c = TID; c < C; c += THREADS) {
    const double count = pixels, i = widen(inverse[c]), factor = dMul(widen(weight[c]), i);
    const double steep = dMul(dMul(dDiv(sums[C + c], count), i), i);
    a[c] = narrow(factor);
    b[c] = narrow(dMul(-factor, steep));
    shift[c] = narrow(dMul(factor, dSub(dMul(steep, widen(mean[c])), dDiv(sums[c], count))));
    if (BLOCK > 0) continue;
    dBias[c] = narrow(sums[c]);
    dWeight[c] = narrow(dMul(sums[C + c], i));
  }
  barrier();
  for (i64 at = placeInGrid(); at < (i64)pixels * C; at += (i64)GRID * THREADS) {
    const int c = at % C;
    dx[at] = fFma(throughActivation(dy[at], y[at], slope), a[c], fFma(x[at], b[c], shift[c]));
  }
}

/** On given statistics; a block of C threads writes what the transformation needs of a block of pixels of its own. */
template <int C>
DEVICE void normaliseFixedOf(const float* x, const float* weight, const float* bias, const float* mean, const float* variance, float slope,
                             float* y, int pixels) {
  for (i64 at = placeInGrid(); at < (i64)pixels * C; at += (i64)GRID * THREADS) {
    const int c = at % C;
    const double f = dDiv(widen(weight[c]), dSqrt(dAdd(widen(variance[c]), 1e-5)));
    y[at] = activate(fFma(x[at], narrow(f), narrow(dSub(widen(bias[c]), dMul(widen(mean[c]), f)))), slope);
  }
}

/** dx and the chunks of the bias's gradient. */
template <int C>
DEVICE void biasSumsOf(const float* dy, const float* y, float slope, float* dx, float* chunks, int pixels) {
  sumChunk<1, C>(chunks, pixels, [&](i64 at, int, float* sums) {
    const float d = throughActivation(dy[at], y[at], slope);
    dx[at] = d;
    sums[0] = fAdd(sums[0], d);
  });
}

/** chunks [chunk, C] -> their sums; a thread a channel. */
KERNEL(biasGradient, 256, const float* chunks, float* dBias, int pixels, int C) {
  const int c = placeInGrid();
  if (c < C) dBias[c] = narrow(sumChunks(chunks, c, C, pixels));
}

#define NORM(C)                                                                                                                    \
  BLOCK_KERNEL(normaliseSums_##C, 4 * C, const float* x, float* chunks, int pixels) { normaliseSumsOf<C>(x, chunks, pixels); }      \
  BLOCK_KERNEL(normalise_##C, 256, const float* x, const float* chunks, const float* weight, const float* bias, float slope,        \
               float* y, float* mean, float* variance, float* inverse, int pixels) {                                                \
    normaliseOf<C>(x, chunks, weight, bias, slope, y, mean, variance, inverse, pixels);                                             \
  }                                                                                                                                 \
  BLOCK_KERNEL(gradientSums_##C, 4 * C, const float* dy, const float* y, const float* x, const float* mean, float slope,            \
               float* chunks, int pixels) {                                                                                         \
    gradientSumsOf<C>(dy, y, x, mean, slope, chunks, pixels);                                                                       \
  }                                                                                                                                 \
  BLOCK_KERNEL(normaliseGradient_##C, 256, const float* dy, const float* y, const float* x, const float* chunks,                    \
               const float* weight, const float* mean, const float* inverse, float slope, float* dx, float* dWeight, float* dBias,  \
               int pixels) {                                                                                                        \
    normaliseGradientOf<C>(dy, y, x, chunks, weight, mean, inverse, slope, dx, dWeight, dBias, pixels);                             \
  }                                                                                                                                 \
  KERNEL(normaliseFixed_##C, 256, const float* x, const float* weight, const float* bias, const float* mean, const float* variance, \
         float slope, float* y, int pixels) {                                                                                       \
    normaliseFixedOf<C>(x, weight, bias, mean, variance, slope, y, pixels);                                                         \
  }                                                                                                                                 \
  BLOCK_KERNEL(biasSums_##C, 4 * C, const float* dy, const float* y, float slope, float* dx, float* chunks, int pixels) {           \
    biasSumsOf<C>(dy, y, slope, dx, chunks, pixels);                                                                                \
  }
NORM(16)
NORM(32)
NORM(64)
NORM(128)
