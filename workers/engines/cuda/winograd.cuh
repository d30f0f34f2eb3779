// Convolutions of kernel 4, stride 2, margin 1 by Winograd's F(2 x 2, 2 x 2), with the chains of workers/engines/kernels/winograd.h.
#pragma once
#include "device.h"

/** Nine products of tiles by taps: a warp a product u, v; a block 16 tiles by at most 32 channels. */
constexpr int TILES_A_BLOCK = 16, PRODUCT_THREADS = 9 * 32;
/** Tiles whose products are added up by themselves in the gradient of a filter: part of the arithmetic. */
constexpr int GROUP = 128;

/** Transformed 2 x 2 taps; tap(r, c) gives one. */
template <class Tap, class Put>
DEVICE void transformTaps(Tap tap, Put put) {
  float rows[2][3];
  UNROLL for (int r = 0; r < 2; r++) rows[r][0] = tap(r, 0), rows[r][2] = tap(r, 1), rows[r][1] = fAdd(rows[r][0], rows[r][2]);
  UNROLL for (int v = 0; v < 3; v++) {
    put(0, v, rows[0][v]);
    put(1, v, fAdd(rows[0][v], rows[1][v]));
    put(2, v, rows[1][v]);
  }
}

/** The difference at index 0 or 2 of an axis, from its pixel and the middle one. */
template <bool IS_TRANSPOSED>
DEVICE float lessMiddle(int index, float pixel, float middle) {
  return index == 2 && IS_TRANSPOSED ? fSub(middle, pixel) : fSub(pixel, middle);
}

/**
 * The products of a block of tiles, and their outputs: K values a tile in pieces of PIECE, taps [u, v, K, N], NB channels from firstN on.
 * pixel(tile, k, r, c) gives a pixel of the 3 x 3; put(tile, n, r, c, value) takes an output.
 */
template <int K, int PIECE, int N, int NB, bool IS_TRANSPOSED, class Pixel, class Put>
DEVICE void multiplyTiles(const float* taps, int firstN, Pixel pixel, Put put) {
  constexpr int T = TILES_A_BLOCK, PITCH = T + 4, LANES_N = NB / 4, TM = T / (32 / LANES_N);
  static_assert(K % PIECE == 0 && 9 * PIECE * PITCH >= 9 * T * NB && T * LANES_N == 32 * TM, "the block's memory holds tiles, then products");
  SHARED float memory[9 * PIECE * PITCH]; // [u v][k][tile], then [u v][tile][n]
  const int uv = TID / 32, lane = TID % 32, n = lane % LANES_N * 4, first = lane / LANES_N * TM;
  float acc[TM][4];
  UNROLL for (int m = 0; m < TM; m++) UNROLL for (int c = 0; c < 4; c++) acc[m][c] = 0;
  for (int piece = 0; piece < K; piece += PIECE) {
    if (piece > 0) barrier();
    for (int at = TID; at < T * PIECE; at += THREADS) {
      const int t = at / PIECE, k = at % PIECE;
      float rows[3][3];
      UNROLL for (int r = 0; r < 3; r++) {
        rows[r][1] = pixel(t, piece + k, r, 1);
        rows[r][0] = lessMiddle<IS_TRANSPOSED>(0, pixel(t, piece + k, r, 0), rows[r][1]);
        rows[r][2] = lessMiddle<IS_TRANSPOSED>(2, pixel(t, piece + k, r, 2), rows[r][1]);
      }
      UNROLL for (int v = 0; v < 3; v++) {
        memory[((0 * 3 + v) * PIECE + k) * PITCH + t] = lessMiddle<IS_TRANSPOSED>(0, rows[0][v], rows[1][v]);
        memory[((1 * 3 + v) * PIECE + k) * PITCH + t] = rows[1][v];
        memory[((2 * 3 + v) * PIECE + k) * PITCH + t] = lessMiddle<IS_TRANSPOSED>(2, rows[2][v], rows[1][v]);
      }
    }
    barrier();
    const float* a = memory + uv * PIECE * PITCH + first;
    const float* b = taps + ((i64)uv * K + piece) * N + firstN + n;
    UNROLL for (int k = 0; k < PIECE; k++) {
      const Four w = load4(b + k * N);
      UNROLL for (int m = 0; m < TM; m++) UNROLL for (int c = 0; c < 4; c++) acc[m][c] = fFma(a[k * PITCH + m], w.v[c], acc[m][c]);
    }
  }
  barrier();
  UNROLL for (int m = 0; m < TM; m++)
    UNROLL for (int c = 0; c < 4; c++) memory[(uv * T + first + m) * NB + n + c] = acc[m][c];
  barrier();
  for (int at = TID; at < T * NB; at += THREADS) {
    const int t = at / NB, channel = at % NB;
    const auto product = [&](int u, int v) { return memory[((u * 3 + v) * T + t) * NB + channel]; };
    UNROLL for (int r = 0; r < 2; r++)
      UNROLL for (int c = 0; c < 2; c++)
        put(t, firstN + channel, r, c, fAdd(fAdd(fAdd(product(r, c), product(r, c + 1)), product(r + 1, c)), product(r + 1, c + 1)));
  }
}

/** Pixel (r, c) of value k = (parity, channel) of a tile of images [B, S, S, I]; 0 outside, and in tiles beyond the last. */
template <int S, int I>
DEVICE float pixelOfTile(const float* x, int tile, int tiles, int k, int r, int c) {
  constexpr int SIDE = S / 4;
  const int parity = k / I, row = tile / SIDE % SIDE * 4 + (parity >> 1) - 1 + 2 * r, column = tile % SIDE * 4 + (parity & 1) - 1 + 2 * c;
  if (tile >= tiles || row < 0 || row >= S || column < 0 || column >= S) return 0;
  return x[(((i64)(tile / (SIDE * SIDE)) * S + row) * S + column) * I + k % I];
}

/** filter [4, 4, I, N] -> taps [u, v, 4 I, N]; a thread a k and n. */
template <int I, int N>
DEVICE void convolveTapsOf(const float* filter, float* taps) {
  constexpr int K = 4 * I;
  const int at = placeInGrid(), k = at / N, n = at % N, py = k / I >> 1, px = k / I & 1;
  if (k >= K) return;
  transformTaps([&](int r, int c) { return filter[(((2 * r + py) * 4 + 2 * c + px) * I + k % I) * N + n]; },
                [&](int u, int v, float value) { taps[((u * 3 + v) * K + k) * N + n] = value; });
}

/** x [B, S, S, I], taps -> y [B, S/2, S/2, N]; blocks of 16 tiles (x) and 32 channels (y). */
template <int S, int I, int N>
DEVICE void convolveOf(const float* x, const float* taps, float* y, int tiles) {
  constexpr int O = S / 2, SIDE = O / 2;
  const int first = BLOCK * TILES_A_BLOCK;
  multiplyTiles<4 * I, 64, N, 32, false>(
      taps, BLOCK_Y * 32, [&](int t, int k, int r, int c) { return pixelOfTile<S, I>(x, first + t, tiles, k, r, c); },
      [&](int t, int n, int r, int c, float value) {
        const int tile = first + t;
        if (tile >= tiles) return;
        const int row = tile / SIDE % SIDE * 2 + r, column = tile % SIDE * 2 + c;
        y[(((i64)(tile / (SIDE * SIDE)) * O + row) * O + column) * N + n] = value;
      });
}

/** filter [4, 4, I, N] -> taps [position, u, v, N, I]; a thread a position, n and i. */
template <int I, int N>
DEVICE void transposedTapsOf(const float* filter, float* taps) {
  const int at = placeInGrid(), position = at / (N * I), n = at / I % N, i = at % I, py = position >> 1, px = position & 1;
  if (position >= 4) return;
  transformTaps([&](int r, int c) { return filter[(((3 - py - 2 * r) * 4 + 3 - px - 2 * c) * I + i) * N + n]; },
                [&](int u, int v, float value) {
                  taps[(((i64)position * 9 + u * 3 + v) * N + n) * I + i] = fMul(value, (u == 2) == (v == 2) ? 1 : -1);
                });
}

/** x [B, S/2, S/2, N], taps -> y [B, S, S, I]; blocks of 16 tiles (x), at most 32 channels (y) and a position (z). */
template <int S, int I, int N>
DEVICE void convolveTransposedOf(const float* x, const float* taps, float* y, int tiles) {
  constexpr int HALF = S / 2, SIDE = S / 4, NB = I < 32 ? I : 32, PIECE = N < 64 ? N : 64;
  const int first = BLOCK * TILES_A_BLOCK, py = BLOCK_Z >> 1, px = BLOCK_Z & 1;
  multiplyTiles<N, PIECE, I, NB, true>(
      taps + (i64)BLOCK_Z * 9 * N * I, BLOCK_Y * NB,
      [&](int t, int k, int r, int c) {
        const int tile = first + t, row = tile / SIDE % SIDE * 2 + py + r - 1, column = tile % SIDE * 2 + px + c - 1;
        if (tile >= tiles || row < 0 || row >= HALF || column < 0 || column >= HALF) return 0.0f;
        return x[(((i64)(tile / (SIDE * SIDE)) * HALF + row) * HALF + column) * N + k];
      },
      [&](int t, int i, int r, int c, float value) {
        const int tile = first + t;
        if (tile >= tiles) return;
        const int row = tile / SIDE % SIDE * 4 + py + 2 * r, column = tile % SIDE * 4 + px + 2 * c;
        y[(((i64)(tile / (SIDE * SIDE)) * S + row) * S + column) * I + i] = value;
      });
}

constexpr int FILTER_BLOCK = 32, FILTER_THREADS = FILTER_BLOCK * FILTER_BLOCK / 16;

/**
 * x [B, S, S, I], dy [B, S/2, S/2, N] -> products [group, u, v, 4 I, N]; blocks of u, v (x), 32 by 32 values (y) and a group (z); a thread 4 by 4.
 */
template <int S, int I, int N>
DEVICE void filterProductsOf(const float* x, const float* dy, float* products, int tiles) {
  constexpr int O = S / 2, SIDE = O / 2, K = 4 * I, W = FILTER_BLOCK;
  SHARED float pixels[GROUP * W], outputs[GROUP * W];
  const int u = BLOCK / 3, v = BLOCK % 3, firstK = BLOCK_Y % (K / W) * W, firstN = BLOCK_Y / (K / W) * W, firstTile = BLOCK_Z * GROUP;
  const int count = tiles - firstTile < GROUP ? tiles - firstTile : GROUP;
  for (int at = TID; at < count * W; at += THREADS) {
    const int tile = firstTile + at / W, k = firstK + at % W;
    const auto pixel = [&](int r, int c) { return pixelOfTile<S, I>(x, tile, tiles, k, r, c); };
    const auto along = [&](int r) { return v == 1 ? pixel(r, 1) : fSub(pixel(r, v), pixel(r, 1)); };
    pixels[at] = u == 1 ? along(1) : fSub(along(u), along(1));
    const float* values =
        dy + (((i64)(tile / (SIDE * SIDE)) * O + tile / SIDE % SIDE * 2) * O + tile % SIDE * 2) * N + firstN + at % W;
    const auto row = [&](int r) {
      const float left = values[r * O * N], right = values[(r * O + 1) * N];
      return v == 0 ? left : v == 2 ? right : fAdd(left, right);
    };
    outputs[at] = u == 0 ? row(0) : u == 2 ? row(1) : fAdd(row(0), row(1));
  }
  barrier();
  const int n = TID % (W / 4) * 4, k = TID / (W / 4) * 4;
  float acc[4][4];
  UNROLL for (int m = 0; m < 4; m++) UNROLL for (int c = 0; c < 4; c++) acc[m][c] = 0;
  for (int t = 0; t < count; t++) {
    const Four a = load4(pixels + t * W + k), b = load4(outputs + t * W + n);
    UNROLL for (int m = 0; m < 4; m++) UNROLL for (int c = 0; c < 4; c++) acc[m][c] = fFma(a.v[m], b.v[c], acc[m][c]);
  }
  UNROLL for (int m = 0; m < 4; m++)
    UNROLL for (int c = 0; c < 4; c++)
      products[(((i64)BLOCK_Z * 9 + BLOCK) * K + firstK + k + m) * N + firstN + n + c] = acc[m][c];
}

/** products -> dFilter [4, 4, I, N]: groups in order, and within them u, then v; a thread a value. */
template <int I, int N>
DEVICE void filterSumOf(const float* products, float* dFilter, int groups) {
  constexpr int K = 4 * I;
  const int at = placeInGrid(), n = at % N, i = at / N % I, kx = at / (I * N) % 4, ky = at / (4 * I * N);
  if (at >= 16 * I * N) return;
  const int r = ky / 2, c = kx / 2, k = ((ky & 1) * 2 + (kx & 1)) * I + i;
  float sum = 0;
  for (int group = 0; group < groups; group++)
    for (int u = r; u <= r + 1; u++)
      for (int v = c; v <= c + 1; v++) {
        const float product = products[(((i64)group * 9 + u * 3 + v) * K + k) * N + n];
        sum = group == 0 && u == r && v == c ? product : fAdd(sum, product);
      }
  dFilter[at] = sum;
}

#define WINOGRAD(S, I, N)                                                                                                          \
  KERNEL(convolveTaps_##S##_##I##_##N, 256, const float* filter, float* taps) { convolveTapsOf<I, N>(filter, taps); }               \
  KERNEL(transposedTaps_##S##_##I##_##N, 256, const float* filter, float* taps) { transposedTapsOf<I, N>(filter, taps); }           \
  BLOCK_KERNEL(convolve_##S##_##I##_##N, PRODUCT_THREADS, const float* x, const float* taps, float* y, int tiles) {                 \
    convolveOf<S, I, N>(x, taps, y, tiles);                                                                                         \
  }                                                                                                                                 \
  BLOCK_KERNEL(convolveTransposed_##S##_##I##_##N, PRODUCT_THREADS, const float* x, const float* taps, float* y, int tiles) {       \
    convolveTransposedOf<S, I, N>(x, taps, y, tiles);                                                                               \
  }                                                                                                                                 \
  BLOCK_KERNEL(filterProducts_##S##_##I##_##N, FILTER_THREADS, const float* x, const float* dy, float* products, int tiles) {       \
    filterProductsOf<S, I, N>(x, dy, products, tiles);                                                                              \
  }                                                                                                                                 \
  KERNEL(filterSum_##S##_##I##_##N, 256, const float* products, float* dFilter, int groups) {                                       \
    filterSumOf<I, N>(products, dFilter, groups);                                                                                   \
  }
WINOGRAD(16, 16, 32)
WINOGRAD(16, 32, 64)
WINOGRAD(8, 32, 64)
WINOGRAD(8, 64, 128)
