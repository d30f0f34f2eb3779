// Convolutions of kernel 4, stride 2, margin 1 by Winograd's F(2 x 2, 2 x 2), with the chains of workers/engines/kernels/winograd.h.
#pragma once
#include "device.h"

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

/** The same of four channels. */
template <bool IS_TRANSPOSED>
DEVICE Four lessMiddle(int index, const Four& pixel, const Four& middle) {
  Four less;
  UNROLL for (int j = 0; j < 4; j++) less.v[j] = lessMiddle<IS_TRANSPOSED>(index, pixel.v[j], middle.v[j]);
  return less;
}

/** M values that lie together. */
template <int M>
DEVICE void loadSome(float (&values)[M], const float* p) {
  if constexpr (M % 4 == 0) UNROLL for (int m = 0; m < M; m += 4) {
    const Four four = load4(p + m);
    UNROLL for (int j = 0; j < 4; j++) values[m + j] = four.v[j];
  }
  else UNROLL for (int m = 0; m < M; m++) values[m] = p[m];
}

/** How a block divides T tiles by NB channels: a warp has a product u, v of at most 32 channels, a thread TM tiles by 4 channels. */
template <int T, int NB>
struct Division {
  static constexpr int WIDTH = NB < 32 ? NB : 32, LANES = WIDTH / 4, TM = T * LANES / 32, THREADS_A_BLOCK = 9 * 32 * (NB / WIDTH);
  /** From a channel's tiles to the next one's: rows of four that are written at once lie in other banks. */
  static constexpr int PITCH = T == 16 ? T + 4 : T + 2;
};

/**
 * The products of a block of T tiles, and their outputs: K values a tile in whole pieces of PIECE, taps [u, v, K, N], NB channels from firstN on.
 * pixels(tile, k, r, c) gives a pixel of the 3 x 3 and those of the next three k; put(tile, n, r, c, value) takes an output.
 */
template <int PIECE, int T, int NB, bool IS_TRANSPOSED, class Pixels, class Put>
DEVICE void multiplyTiles(int K, int N, const float* taps, int firstN, Pixels pixels, Put put) {
  using D = Division<T, NB>;
  constexpr int PITCH = D::PITCH, TM = D::TM, TILES = 9 * PIECE * PITCH, PRODUCTS = 9 * T * NB;
  static_assert(32 * TM == T * D::LANES, "whole rows of tiles");
  SHARED_16 float memory[TILES > PRODUCTS ? TILES : PRODUCTS]; // [u v][k][tile], then [u v][tile][n]
  const int warp = TID / 32, lane = TID % 32, uv = warp % 9, n = warp / 9 * 32 + lane % D::LANES * 4, first = lane / D::LANES * TM;
  float acc[TM][4];
  UNROLL for (int m = 0; m < TM; m++) UNROLL for (int c = 0; c < 4; c++) acc[m][c] = 0;
  for (int piece = 0; piece < K; piece += PIECE) {
    if (piece > 0) barrier();
    for (int at = TID; at < T * PIECE / 4; at += THREADS) {
      const int t = at % T, k = at / T * 4;
      Four rows[3][3];
      UNROLL for (int r = 0; r < 3; r++) UNROLL for (int c = 0; c < 3; c++) rows[r][c] = pixels(t, piece + k, r, c);
      UNROLL for (int r = 0; r < 3; r++) {
        rows[r][0] = lessMiddle<IS_TRANSPOSED>(0, rows[r][0], rows[r][1]);
        rows[r][2] = lessMiddle<IS_TRANSPOSED>(2, rows[r][2], rows[r][1]);
      }
      UNROLL for (int v = 0; v < 3; v++) {
        const Four three[3] = {lessMiddle<IS_TRANSPOSED>(0, rows[0][v], rows[1][v]), rows[1][v],
                               lessMiddle<IS_TRANSPOSED>(2, rows[2][v], rows[1][v])};
        UNROLL for (int u = 0; u < 3; u++) UNROLL for (int j = 0; j < 4; j++)
          memory[((u * 3 + v) * PIECE + k + j) * PITCH + t] = three[u].v[j];
      }
    }
    barrier();
    const float* a = memory + uv * PIECE * PITCH + first;
    const float* b = taps + ((i64)uv * K + piece) * N + firstN + n;
    UNROLL_16 for (int k = 0; k < PIECE; k++) {
      float left[TM];
      loadSome(left, a + k * PITCH);
      const Four w = load4(b + k * N);
      UNROLL for (int m = 0; m < TM; m++) UNROLL for (int c = 0; c < 4; c++) acc[m][c] = fFma(left[m], w.v[c], acc[m][c]);
    }
  }
  barrier();
  UNROLL for (int m = 0; m < TM; m++) {
    Four values;
    UNROLL for (int c = 0; c < 4; c++) values.v[c] = acc[m][c];
    store4(memory + (uv * T + first + m) * NB + n, values);
  }
  barrier();
  for (int at = TID; at < T * NB; at += THREADS) {
    const int t = at / NB, channel = at % NB;
    float products[3][3];
    UNROLL for (int u = 0; u < 3; u++) UNROLL for (int v = 0; v < 3; v++) products[u][v] = memory[((u * 3 + v) * T + t) * NB + channel];
    UNROLL for (int r = 0; r < 2; r++)
      UNROLL for (int c = 0; c < 2; c++)
        put(t, firstN + channel, r, c, fAdd(fAdd(fAdd(products[r][c], products[r][c + 1]), products[r + 1][c]), products[r + 1][c + 1]));
  }
}

/** Pixels (r, c) of four values from k = (parity, channel) on of a tile of images [B, S, S, I]; 0 outside, and in tiles beyond the last. */
DEVICE Four pixelsOfTile(int S, int I, const float* x, int tile, int tiles, int k, int r, int c) {
  const int SIDE = S / 4, parity = k / I, row = tile / SIDE % SIDE * 4 + (parity >> 1) - 1 + 2 * r, column = tile % SIDE * 4 + (parity & 1) - 1 + 2 * c;
  if (tile >= tiles || row < 0 || row >= S || column < 0 || column >= S) return {{0, 0, 0, 0}};
  return load4(x + (((i64)(tile / (SIDE * SIDE)) * S + row) * S + column) * I + k % I);
}

/** filter [4, 4, I, N] -> taps [u, v, 4 I, N]; a thread a k and n. */
DEVICE void convolveTapsOf(int I, int N, const float* filter, float* taps) {
  const int K = 4 * I, at = placeInGrid(), k = at / N, n = at % N, py = k / I >> 1, px = k / I & 1;
  if (k >= K) return;
  transformTaps([&](int r, int c) { return filter[(((2 * r + py) * 4 + 2 * c + px) * I + k % I) * N + n]; },
                [&](int u, int v, float value) { taps[((u * 3 + v) * K + k) * N + n] = value; });
}

/** x [B, S, S, I], taps -> y [B, S/2, S/2, N]; blocks of T tiles (x) and NB channels (y). */
template <int T, int NB>
DEVICE void convolveOf(int S, int I, int N, const float* x, const float* taps, float* y, int tiles) {
  const int O = S / 2, SIDE = O / 2, first = BLOCK * T;
  multiplyTiles<64, T, NB, false>(
      4 * I, N, taps, BLOCK_Y * NB, [&](int t, int k, int r, int c) { return pixelsOfTile(S, I, x, first + t, tiles, k, r, c); },
      [&](int t, int n, int r, int c, float value) {
        const int tile = first + t;
        if (tile >= tiles) return;
        const int row = tile / SIDE % SIDE * 2 + r, column = tile % SIDE * 2 + c;
        y[(((i64)(tile / (SIDE * SIDE)) * O + row) * O + column) * N + n] = value;
      });
}

/** filter [4, 4, I, N] -> taps [position, u, v, N, I]; a thread a position, n and i. */
DEVICE void transposedTapsOf(int I, int N, const float* filter, float* taps) {
  const int at = placeInGrid(), position = at / (N * I), n = at / I % N, i = at % I, py = position >> 1, px = position & 1;
  if (position >= 4) return;
  transformTaps([&](int r, int c) { return filter[(((3 - py - 2 * r) * 4 + 3 - px - 2 * c) * I + i) * N + n]; },
                [&](int u, int v, float value) {
                  taps[(((i64)position * 9 + u * 3 + v) * N + n) * I + i] = fMul(value, (u == 2) == (v == 2) ? 1 : -1);
                });
}

/** x [B, S/2, S/2, N], taps -> y [B, S, S, I]; blocks of T tiles (x), NB channels (y) and a position (z). */
template <int PIECE, int T, int NB>
DEVICE void convolveTransposedOf(int S, int I, int N, const float* x, const float* taps, float* y, int tiles) {
  const int HALF = S / 2, SIDE = S / 4, first = BLOCK * T, py = BLOCK_Z >> 1, px = BLOCK_Z & 1;
  multiplyTiles<PIECE, T, NB, true>(
      N, I, taps + (i64)BLOCK_Z * 9 * N * I, BLOCK_Y * NB,
      [&](int t, int k, int r, int c) {
        const int tile = first + t, row = tile / SIDE % SIDE * 2 + py + r - 1, column = tile % SIDE * 2 + px + c - 1;
        if (tile >= tiles || row < 0 || row >= HALF || column < 0 || column >= HALF) return Four{{0, 0, 0, 0}};
        return load4(x + (((i64)(tile / (SIDE * SIDE)) * HALF + row) * HALF + column) * N + k);
      },
      [&](int t, int i, int r, int c, float value) {
        const int tile = first + t;
        if (tile >= tiles) return;
        const int row = tile / SIDE % SIDE * 4 + py + 2 * r, column = tile % SIDE * 4 + px + 2 * c;
        y[(((i64)(tile / (SIDE * SIDE)) * S + row) * S + column) * I + i] = value;
      });
}

/** Values of k and of n of a block, a thread 4 by 4; and the tiles of a group whose values it holds at a time. */
constexpr int FILTER_K = 64, FILTER_TILES = 64;
template <int NB>
constexpr int FILTER_THREADS = FILTER_K * NB / 16;

/**
 * x [B, S, S, I], dy [B, S/2, S/2, N] -> products [shard, group, u, v, 4 I, N]; blocks of u, v (x), 64 by NB values (y) and a group of a shard (z).
 */
template <int NB>
DEVICE void filterProductsOf(int S, int I, int N, const float* x, const float* dy, float* products, int tiles, int groups) {
  const int O = S / 2, SIDE = O / 2, K = 4 * I;
  SHARED_16 float pixels[FILTER_TILES * FILTER_K], outputs[FILTER_TILES * NB];
  const int u = BLOCK / 3, v = BLOCK % 3, firstK = BLOCK_Y % (K / FILTER_K) * FILTER_K, firstN = BLOCK_Y / (K / FILTER_K) * NB;
  const int n = TID % (NB / 4) * 4, k = TID / (NB / 4) * 4;
  const int firstOfGroup = BLOCK_Z % groups * GROUP, last = tiles - firstOfGroup < GROUP ? tiles : firstOfGroup + GROUP;
  float acc[4][4];
  UNROLL for (int m = 0; m < 4; m++) UNROLL for (int c = 0; c < 4; c++) acc[m][c] = 0;
  for (int some = firstOfGroup; some < last; some += FILTER_TILES) {
    const int count = last - some < FILTER_TILES ? last - some : FILTER_TILES, firstTile = BLOCK_Z / groups * tiles + some;
    if (some > firstOfGroup) barrier();
    UNROLL_4 for (int at = TID * 4; at < count * FILTER_K; at += THREADS * 4) {
      const int tile = firstTile + at / FILTER_K, own = firstK + at % FILTER_K;
      const auto pixel = [&](int r, int c) { return pixelsOfTile(S, I, x, tile, tile + 1, own, r, c); };
      const auto along = [&](int r) { return v == 1 ? pixel(r, 1) : lessMiddle<false>(v, pixel(r, v), pixel(r, 1)); };
      store4(pixels + at, u == 1 ? along(1) : lessMiddle<false>(u, along(u), along(1)));
    }
    UNROLL_4 for (int at = TID * 4; at < count * NB; at += THREADS * 4) {
      const int tile = firstTile + at / NB;
      const float* values =
          dy + (((i64)(tile / (SIDE * SIDE)) * O + tile / SIDE % SIDE * 2) * O + tile % SIDE * 2) * N + firstN + at % NB;
      const auto both = [&](const Four& a, const Four& b) {
        Four sum;
        UNROLL for (int j = 0; j < 4; j++) sum.v[j] = fAdd(a.v[j], b.v[j]);
        return sum;
      };
      const auto output = [&](int r, int c) { return load4(values + (r * O + c) * N); };
      const auto row = [&](int r) { return v == 0 ? output(r, 0) : v == 2 ? output(r, 1) : both(output(r, 0), output(r, 1)); };
      store4(outputs + at, u == 0 ? row(0) : u == 2 ? row(1) : both(row(0), row(1)));
    }
    barrier();
    UNROLL_16 for (int t = 0; t < count; t++) {
      const Four a = load4(pixels + t * FILTER_K + k), b = load4(outputs + t * NB + n);
      UNROLL for (int m = 0; m < 4; m++) UNROLL for (int c = 0; c < 4; c++) acc[m][c] = fFma(a.v[m], b.v[c], acc[m][c]);
    }
  }
  UNROLL for (int m = 0; m < 4; m++) {
    Four values;
    UNROLL for (int c = 0; c < 4; c++) values.v[c] = acc[m][c];
    store4(products + (((i64)BLOCK_Z * 9 + BLOCK) * K + firstK + k + m) * N + firstN + n, values);
  }
}

/** products -> dFilter [shard, 4, 4, I, N]: groups in order, and within them u, then v; a thread a value of a shard (y). */
DEVICE void filterSumOf(int I, int N, const float* products, float* dFilter, int groups) {
  const int K = 4 * I, SIZE = 16 * I * N, at = placeInGrid(), n = at % N, i = at / N % I, kx = at / (I * N) % 4, ky = at / (4 * I * N);
  if (at >= SIZE) return;
  const int r = ky / 2, c = kx / 2, k = ((ky & 1) * 2 + (kx & 1)) * I + i;
  const float* first = products + (((i64)BLOCK_Y * groups * 9 + r * 3 + c) * K + k) * N + n;
  const i64 V = (i64)K * N, U = 3 * V;
  float sum = 0;
  UNROLL_4 for (int group = 0; group < groups; group++) {
    const float* own = first + group * 9 * V;
    const float a = own[0], b = own[V], d = own[U], e = own[U + V];
    sum = group == 0 ? a : fAdd(sum, a);
    sum = fAdd(fAdd(fAdd(sum, b), d), e);
  }
  dFilter[(i64)BLOCK_Y * SIZE + at] = sum;
}

// Of the convolutions of the seed's model, whose sizes the compiler knows, there are two: with fewer tiles and channels a block where a launch
// would not fill a GPU else. Those of other sizes take them, and are named for the channels of a block.
#define CONVOLVE(S, I, N, SIZE, T, NB, TRANSPOSED_NB)                                                                              \
  BLOCK_KERNEL(convolve_##S##_##I##_##N##_##SIZE, (Division<T, NB>::THREADS_A_BLOCK), const float* x, const float* taps, float* y,  \
               int tiles) {                                                                                                         \
    convolveOf<T, NB>(S, I, N, x, taps, y, tiles);                                                                                  \
  }                                                                                                                                 \
  BLOCK_KERNEL(convolveTransposed_##S##_##I##_##N##_##SIZE, (Division<T, TRANSPOSED_NB>::THREADS_A_BLOCK), const float* x,          \
               const float* taps, float* y, int tiles) {                                                                            \
    convolveTransposedOf<(N < 64 ? N : 64), T, TRANSPOSED_NB>(S, I, N, x, taps, y, tiles);                                          \
  }
#define WINOGRAD(S, I, N, NB, TRANSPOSED_NB)                                                                                       \
  CONVOLVE(S, I, N, small, 8, 32, (I < 32 ? I : 32))                                                                                \
  CONVOLVE(S, I, N, large, 16, NB, TRANSPOSED_NB)                                                                                   \
  BLOCK_KERNEL(filterProducts_##S##_##I##_##N, FILTER_THREADS<(N < 64 ? N : 64)>, const float* x, const float* dy, float* products,    \
               int tiles, int groups) {                                                                                             \
    filterProductsOf<(N < 64 ? N : 64)>(S, I, N, x, dy, products, tiles, groups);                                                   \
  }
WINOGRAD(16, 16, 32, 32, 16)
WINOGRAD(16, 32, 64, 64, 32)
WINOGRAD(8, 32, 64, 64, 32)
WINOGRAD(8, 64, 128, 64, 64)
#define WINOGRAD_ANY(NB)                                                                                                           \
  BLOCK_KERNEL(convolve_any_##NB, (Division<16, NB>::THREADS_A_BLOCK), const float* x, const float* taps, float* y, int tiles, int S,  \
               int I, int N) {                                                                                                      \
    convolveOf<16, NB>(S, I, N, x, taps, y, tiles);                                                                                 \
  }                                                                                                                                 \
  BLOCK_KERNEL(convolveTransposed_any_##NB, (Division<16, NB>::THREADS_A_BLOCK), const float* x, const float* taps, float* y,       \
               int tiles, int S, int I, int N) {                                                                                    \
    convolveTransposedOf<16, 16, NB>(S, I, N, x, taps, y, tiles);                                                                   \
  }                                                                                                                                 \
  BLOCK_KERNEL(filterProducts_any_##NB, FILTER_THREADS<NB>, const float* x, const float* dy, float* products, int tiles, int groups,  \
               int S, int I, int N) {                                                                                               \
    filterProductsOf<NB>(S, I, N, x, dy, products, tiles, groups);                                                                  \
  }
WINOGRAD_ANY(16)
WINOGRAD_ANY(32)
WINOGRAD_ANY(64)
KERNEL(convolveTaps, 256, const float* filter, float* taps, int I, int N) { convolveTapsOf(I, N, filter, taps); }
KERNEL(transposedTaps, 256, const float* filter, float* taps, int I, int N) { transposedTapsOf(I, N, filter, taps); }
KERNEL(filterSum, 256, const float* products, float* dFilter, int groups, int I, int N) { filterSumOf(I, N, products, dFilter, groups); }
