// Products of matrices and functions of single values, with the chains of workers/engines/kernels/product.h and pointwise.h.
#pragma once
#include "device.h"

/**
 * c [M, N] = a b: element (m, k) of a lies at a[m * rowStride + k * columnStride]; a thread a value. A shard (z) has an a of aSize, a b of bSize
 * and a c of its own.
 */
KERNEL(multiplyValues, 256, const float* a, const float* b, float* c, int rowStride, int columnStride, int M, int K, int N, int aSize, int bSize) {
  const i64 at = placeInGrid();
  if (at >= (i64)M * N) return;
  const float *row = a + (i64)BLOCK_Z * aSize + at / N * rowStride, *column = b + (i64)BLOCK_Z * bSize + at % N;
  float acc = 0;
  UNROLL_16 for (int k = 0; k < K; k++) acc = fFma(row[(i64)k * columnStride], column[(i64)k * N], acc);
  c[(i64)BLOCK_Z * M * N + at] = acc;
}

/** The same with a thread four values of four rows; N is a multiple of 4. */
KERNEL(multiplyMatrices, 256, const float* a, const float* b, float* c, int rowStride, int columnStride, int M, int K, int N, int aSize, int bSize) {
  const i64 at = placeInGrid();
  const int n = at % (N / 4) * 4, m = at / (N / 4) * 4;
  if (m >= M) return;
  const float *rows[4], *columns = b + (i64)BLOCK_Z * bSize + n;
  float acc[4][4];
  UNROLL for (int i = 0; i < 4; i++) {
    rows[i] = a + (i64)BLOCK_Z * aSize + (i64)(m + i < M ? m + i : m) * rowStride;
    UNROLL for (int j = 0; j < 4; j++) acc[i][j] = 0;
  }
  UNROLL_16 for (int k = 0; k < K; k++) {
    const Four right = load4(columns + (i64)k * N);
    UNROLL for (int i = 0; i < 4; i++) {
      const float left = rows[i][(i64)k * columnStride];
      UNROLL for (int j = 0; j < 4; j++) acc[i][j] = fFma(left, right.v[j], acc[i][j]);
    }
  }
  UNROLL for (int i = 0; i < 4; i++) {
    Four values;
    UNROLL for (int j = 0; j < 4; j++) values.v[j] = acc[i][j];
    if (m + i < M) store4(c + ((i64)BLOCK_Z * M + m + i) * N + n, values);
  }
}

/** y [M] = a [M, K] x [K]: 16 chains, then float64 in order; a block of 16 threads a row. */
BLOCK_KERNEL(multiplyVector, 16, const float* a, const float* x, float* y, int K) {
  SHARED float partial[16];
  const float* row = a + (i64)BLOCK * K;
  const int whole = K / 16 * 16;
  float acc = 0;
  UNROLL_16 for (int k = TID; k < whole; k += 16) acc = fFma(row[k], x[k], acc);
  partial[TID] = acc;
  barrier();
  if (TID > 0) return;
  double sum = 0;
  for (int i = 0; i < 16; i++) sum = dAdd(sum, widen(partial[i]));
  for (int k = whole; k < K; k++) sum = dAdd(sum, dMul(widen(row[k]), widen(x[k])));
  y[BLOCK] = narrow(sum);
}

/** y [M, N] = x [M] times a [N]. */
KERNEL(multiplyOuter, 256, const float* x, const float* a, float* y, int M, int N) {
  const i64 at = placeInGrid();
  if (at < (i64)M * N) y[at] = fMul(a[at % N], x[at / N]);
}

/** Sum over the pixels of one channel; a block a shard of `size`. */
KERNEL(sumAll, 1, const float* x, float* y, int size) {
  double sum = 0;
  UNROLL_16 for (int i = 0; i < size; i++) sum = dAdd(sum, widen(x[(i64)BLOCK * size + i]));
  y[BLOCK] = narrow(sum);
}

/** e^x for x of -87 to 88. */
DEVICE float exponential(float x) {
  x = x < -87.0f ? -87.0f : x > 88.0f ? 88.0f : x; // a NaN stays one
  const float n = roundEven(fMul(x, 1.44269504088896341f));
  const float r = fFma(n, 2.12194440e-4f, fFma(n, -0.693359375f, x));
  float p = 1.9875691500e-4f;
  p = fFma(p, r, 1.3981999507e-3f);
  p = fFma(p, r, 8.3334519073e-3f);
  p = fFma(p, r, 4.1665795894e-2f);
  p = fFma(p, r, 1.6666665459e-1f);
  p = fFma(p, r, 5.0000001201e-1f);
  return fMul(fAdd(fFma(p, fMul(r, r), r), 1), powerOfTwo(n == n ? (int)n : 0));
}

DEVICE float sigmoidOf(float x) { return fDiv(1, fAdd(1, exponential(fSub(0, x)))); }

DEVICE float tanhOf(float x) {
  const float size = magnitude(x), z = fMul(x, x);
  float p = -5.70498872745e-3f;
  p = fFma(p, z, 2.06390887954e-2f);
  p = fFma(p, z, -5.37397155531e-2f);
  p = fFma(p, z, 1.33314422036e-1f);
  p = fFma(p, z, -3.33332819422e-1f);
  const float near = fFma(fMul(p, z), x, x);
  const float far = fSub(1, fDiv(2, fAdd(exponential(fAdd(size, size)), 1)));
  return size < 0.625f ? near : x > 0 ? far : fSub(0, far);
}

#define MAP1(name, expression)                                                          \
  KERNEL(name, 256, const float* first, float* y, float value, int size) {              \
    const i64 at = placeInGrid();                                                       \
    if (at >= size) return;                                                             \
    const float a = first[at];                                                          \
    y[at] = expression;                                                                 \
    (void)value;                                                                        \
  }
#define MAP2(name, expression)                                                                          \
  KERNEL(name, 256, const float* first, const float* second, float* y, float value, int size) {         \
    const i64 at = placeInGrid();                                                                       \
    if (at >= size) return;                                                                             \
    const float a = first[at], b = second[at];                                                          \
    y[at] = expression;                                                                                 \
    (void)value;                                                                                        \
  }
MAP1(tanhValues, tanhOf(a))
MAP1(sigmoidValues, sigmoidOf(a))
MAP1(activateValues, activate(a, value))
MAP1(addScalar, fAdd(a, value))
MAP1(multiplyScalar, fMul(a, value))
MAP1(copyValues, a)
MAP2(tanhGradient, fMul(b, fFma(fSub(0, a), a, 1)))
MAP2(activateGradient, throughActivation(a, b, value))

/** The second has `period` values: all shards add the same. */
KERNEL(addValues, 256, const float* first, const float* second, float* y, int size, int period) {
  const i64 at = placeInGrid();
  if (at < size) y[at] = fAdd(first[at], second[at % period]);
}

KERNEL(addBias, 256, const float* x, const float* bias, float slope, float* y, int size, int C) {
  const i64 at = placeInGrid();
  if (at < size) y[at] = activate(fAdd(x[at], bias[at % C]), slope);
}
