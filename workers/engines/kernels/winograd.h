// Convolutions of kernel 4 and stride 2 with a margin of 1, by Winograd's minimal filtering F(2 x 2, 2 x 2): 9 products in place of 16
// (Winograd, "Arithmetic Complexity of Computations", 1980; Lavin & Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016).
// Layout NHWC, filter [4, 4, I, O]. By the parities of the larger image's pixels, such a convolution is four of kernel 2 and stride 1.
// Along one axis two outputs y0 = d0 g0 + d1 g1 and y1 = d1 g0 + d2 g1, of three pixels and two taps, are y0 = m0 + m1 and
// y1 = m1 + m2 with m0 = (d0 - d1) g0, m1 = d1 (g0 + g1) and m2 = (d2 - d1) g1. A tile is 2 x 2 outputs and the 3 x 3 pixels that they
// see; u and v, from 0 to 2, count its values along y and x. The gradient of the taps takes the same steps with the outputs' as taps.
// Transformed values lie so that a block reads them in one piece. What is multiplied together stays in the second cache.

/** Tiles that are transformed together: more where taps are many, so that these are read less often. */
constexpr int tilesTogether(int K) { return K <= 256 ? 32 : K <= 1024 ? 128 : 64; }
/** More than there are tiles together, and rows of a block beyond them. */
constexpr int MOST_TILES = 256;
/** Tiles whose products are added up by themselves in the gradient of a filter: another number gives other bits. */
constexpr int GRADIENT_TILES = 128;
/** Channels of the larger images whose part of that gradient is computed at a time. */
constexpr int GRADIENT_CHANNELS = 128;
/** Floats between matrices: at a distance of a power of two, all of them would share a few places of the caches. */
constexpr int APART = 272;
/** Floats of scratch memory for transformed taps: what does not fit is computed some channels after others. */
constexpr int TAPS_FLOATS = 1 << 21;

/** A pixel outside its image. */
alignas(64) const float OUTSIDE[MOST_CHANNELS] = {};

/** The nine values of a transformed tile, for I channels; pixel(y, x) is where the channels of a pixel of the 3 x 3 lie. */
template <class Pixel, class Put>
INLINE void transformPixels(int I, Pixel pixel, Put put) {
  const float* at[3][3];
  for (int y = 0; y < 3; y++)
    for (int x = 0; x < 3; x++) at[y][x] = pixel(y, x);
  for (int i = 0; i < I; i += WIDTH) {
    Vector rows[3][3];
#pragma GCC unroll 3
    for (int y = 0; y < 3; y++) {
      rows[y][1] = load(at[y][1] + i);
      rows[y][0] = subtract(load(at[y][0] + i), rows[y][1]);
      rows[y][2] = subtract(load(at[y][2] + i), rows[y][1]);
    }
#pragma GCC unroll 3
    for (int v = 0; v < 3; v++) {
      put(0, v, i, subtract(rows[0][v], rows[1][v]));
      put(1, v, i, rows[1][v]);
      put(2, v, i, subtract(rows[2][v], rows[1][v]));
    }
  }
}

/** The nine values of transformed taps, for SIZE values; tap(y, x) is where those of a tap of the 2 x 2 lie. */
template <class Tap, class Put>
INLINE void transformTaps(int SIZE, Tap tap, Put put) {
  const float *at[2][2] = {{tap(0, 0), tap(0, 1)}, {tap(1, 0), tap(1, 1)}};
  for (int i = 0; i < SIZE; i += WIDTH) {
    Vector rows[2][3];
#pragma GCC unroll 2
    for (int y = 0; y < 2; y++) {
      rows[y][0] = load(at[y][0] + i);
      rows[y][2] = load(at[y][1] + i);
      rows[y][1] = add(rows[y][0], rows[y][2]);
    }
#pragma GCC unroll 3
    for (int v = 0; v < 3; v++) {
      put(0, v, i, rows[0][v]);
      put(1, v, i, add(rows[0][v], rows[1][v]));
      put(2, v, i, rows[1][v]);
    }
  }
}

/**
 * Adds the first `count` rows of a block of products u, v, over k of rows(m)[k * STEP] by b [K, C vectors], to the outputs of the 2 x 2
 * that have them as a part: row m of output y, x lies at to(m, y, x).
 */
template <int M, int C, int STEP, class Rows, class To>
INLINE void addProducts(int u, int v, Rows rows, const float* b, int K, int count, bool isFirst, To to) {
  Vector acc[M][C];
#pragma GCC unroll 16
  for (int m = 0; m < M; m++)
    for (int c = 0; c < C; c++) acc[m][c] = zero();
  multiplyAdd(acc, rows, b, K, C * WIDTH, STEP);
  for (int y = u / 2; y <= (u + 1) / 2; y++)
    for (int x = v / 2; x <= (v + 1) / 2; x++) {
      const bool isNew = isFirst && y == u && x == v;
#pragma GCC unroll 16
      for (int m = 0; m < M; m++) {
        if (m >= count) break;
        float* out = to(m, y, x);
#pragma GCC unroll 2
        for (int c = 0; c < C; c++) store(out + c * WIDTH, isNew ? acc[m][c] : add(load(out + c * WIDTH), acc[m][c]));
      }
    }
}

/** Where the pixels of one parity in a tile of a convolution lie, images [B, S, S, I]. */
INLINE auto pixelsOf(int S, int I, const float* images, int tile, int parity) {
  const int SIDE = S / 4;
  const int row = tile / SIDE % SIDE * 4 + (parity >> 1) - 1, column = tile % SIDE * 4 + (parity & 1) - 1;
  const float* first = images + ((int64_t)tile / (SIDE * SIDE) * S * S + row * S + column) * I;
  return [=](int y, int x) {
    const bool isInside = row + 2 * y >= 0 && row + 2 * y < S && column + 2 * x >= 0 && column + 2 * x < S;
    return isInside ? first + (y * S + x) * 2 * I : OUTSIDE;
  };
}

/** Channels of N in whole slices for which `floats` a channel are room for transformed taps. */
constexpr int channelsTogether(int N, int floats) {
  const int some = TAPS_FLOATS / floats / 32 * 32;
  return some < N ? some : N;
}

/** Whether scratch memory has room for a convolution over K values of the widest layer. */
constexpr bool hasRoom(int K) {
  return 9 * (K * channelsTogether(MOST_CHANNELS, 9 * K) + APART) + 9 * (tilesTogether(K) * (K + 16) + APART) <= (int)SCRATCH_FLOATS;
}
static_assert(hasRoom(256) && hasRoom(1024) && hasRoom(4 * MOST_CHANNELS), "constants that do not fit together");

/** Convolution: x [B, S, S, I], filter [4, 4, I, N] -> y [B, S/2, S/2, N]; slices of C vectors. */
template <int C>
INLINE void convolve(int S, int I, int N, const float* x, const float* filter, float* y, int B, float* scratch) {
  const int O = S / 2, SIDE = O / 2, K = 4 * I, PITCH = K + 16, all = B * SIDE * SIDE, together = tilesTogether(K);
  constexpr int M = PIXELS * (3 - C), SLICE = C * WIDTH;
  const int columns = channelsTogether(N, 9 * K), TAPS_APART = K * columns + APART, TILES_APART = together * PITCH + APART;
  float *taps = scratch, *tiles = taps + 9 * TAPS_APART; // [u, v, slice, K, slice] and [u, v, tile, PITCH]
  for (int firstN = 0; firstN < N; firstN += columns) {
    const int width = N - firstN < columns ? N - firstN : columns;
    for (int k = 0; k < K; k++) {
      const float* first = filter + ((k / I >> 1) * 4 + (k / I & 1)) * I * N + k % I * N + firstN;
      transformTaps(width, [&](int r, int c) { return first + (r * 8 + c * 2) * I * N; },
                    [&](int u, int v, int n, Vector value) {
                      store(taps + (u * 3 + v) * TAPS_APART + n / SLICE * SLICE * K + k * SLICE + n % SLICE, value);
                    });
    }
    for (int first = 0; first < all; first += together) {
      const int count = all - first < together ? all - first : together;
      if (firstN == 0 || all > together)
        for (int tile = 0; tile < count; tile++)
          for (int parity = 0; parity < 4; parity++) {
            float* at = tiles + tile * PITCH + parity * I;
            transformPixels(I, pixelsOf(S, I, x, first + tile, parity),
                            [&](int u, int v, int i, Vector value) { store(at + (u * 3 + v) * TILES_APART + i, value); });
          }
      float* outs[MOST_TILES]; // where the outputs of a tile begin
      for (int t = 0; t < count; t++) {
        const int tile = first + t;
        outs[t] = y + firstN + ((int64_t)(tile / SIDE * 2) * O + tile % SIDE * 2) * N;
      }
      for (int u = 0; u < 3; u++)
        for (int v = 0; v < 3; v++)
          for (int n = 0; n < width; n += SLICE)
            for (int tile = 0; tile < count; tile += M) {
              const float *a = tiles + (u * 3 + v) * TILES_APART + tile * PITCH, *b = taps + (u * 3 + v) * TAPS_APART + n * K;
              addProducts<M, C, 1>(u, v, [=](int m) { return a + m * PITCH; }, b, K, count - tile, true,
                                   [&](int m, int r, int c) { return outs[tile + m] + (r * O + c) * N + n; });
            }
    }
  }
}

/** Lanes of two vectors, as a stage of the transposition swaps them. */
template <int STEP, bool UPPER, size_t... I>
INLINE Vector swapLanes(Vector above, Vector below, std::index_sequence<I...>) {
  constexpr auto lane = [](int i) { return i & STEP ? (UPPER ? WIDTH + i - STEP : WIDTH + i) : (UPPER ? i : i + STEP); };
#ifdef __clang__
  return __builtin_shufflevector(above, below, lane(I)...);
#else
  using Lanes = int __attribute__((vector_size(sizeof(Vector))));
  return __builtin_shuffle(above, below, Lanes{lane(I)...});
#endif
}

/** Transposes a square of values. */
template <int STEP = 1>
INLINE void transpose(Vector (&rows)[WIDTH]) {
#pragma GCC unroll 16
  for (int i = 0; i < WIDTH; i++)
    if (!(i & STEP)) {
      const Vector above = rows[i], below = rows[i + STEP];
      rows[i] = swapLanes<STEP, true>(above, below, std::make_index_sequence<WIDTH>());
      rows[i + STEP] = swapLanes<STEP, false>(above, below, std::make_index_sequence<WIDTH>());
    }
  if constexpr (2 * STEP < WIDTH) transpose<2 * STEP>(rows);
}

/**
 * The taps of a transposed convolution for `width` channels of a filter [4, 4, N, I] -> [position y, x, u, v, slice, I, slice of C vectors]
 * for the positions of an output pixel in its 2 x 2 block.
 */
template <int C>
INLINE void transformFilter(int I, int N, int width, const float* filter, float* taps, int distance) {
  constexpr int SLICE = C * WIDTH;
  for (int position = 0; position < 4; position++)
    for (int n = 0; n < width; n += WIDTH)
      for (int i = 0; i < I; i += WIDTH) {
        alignas(64) float square[4][WIDTH * WIDTH];
        for (int tap = 0; tap < 4; tap++) {
          const int ky = 3 - (position >> 1) - 2 * (tap >> 1), kx = 3 - (position & 1) - 2 * (tap & 1);
          Vector rows[WIDTH];
#pragma GCC unroll 16
          for (int row = 0; row < WIDTH; row++) rows[row] = load(filter + ((ky * 4 + kx) * N + n + row) * I + i);
          transpose(rows);
#pragma GCC unroll 16
          for (int row = 0; row < WIDTH; row++) store(square[tap] + row * WIDTH, rows[row]);
        }
        float* to = taps + position * 9 * distance + n / SLICE * SLICE * I + i * SLICE + n % SLICE;
        transformTaps(WIDTH * WIDTH, [&](int r, int c) { return square[r * 2 + c]; },
                      [&](int u, int v, int k, Vector value) {
                        const Vector sign = splat((u == 2) == (v == 2) ? 1 : -1);
                        store(to + (u * 3 + v) * distance + k / WIDTH * SLICE, multiply(value, sign));
                      });
      }
}

/**
 * What transformed tiles of an image [S, S, I] with a margin of 1 are made of, in four images [S + 1, S + 1, I] at a distance: its pixels,
 * each pixel less the next along x, less the next along y, and both. Tiles share the differences, so those of u or v 2 have the sign of
 * d1 - d2: transformFilter makes up for it. What lies beyond the sides in the first three is not used.
 */
INLINE void subtractNeighbours(int S, int I, const float* image, float* to, int distance) {
  for (int y = 0; y <= S; y++)
    for (int x = 0; x <= S; x++, to += I) {
      const float* here = y < S && x < S ? image + (y * S + x) * I : OUTSIDE;
      const float* left = y < S && x > 0 ? image + (y * S + x - 1) * I : OUTSIDE;
      const float* above = y > 0 && x < S ? image + ((y - 1) * S + x) * I : OUTSIDE;
      const float* corner = y > 0 && x > 0 ? image + ((y - 1) * S + x - 1) * I : OUTSIDE;
#pragma GCC unroll 8
      for (int i = 0; i < I; i += WIDTH) {
        const Vector pixel = load(here + i), up = load(above + i), along = subtract(load(left + i), pixel);
        store(to + i, pixel);
        store(to + distance + i, along);
        store(to + 2 * distance + i, subtract(up, pixel));
        store(to + 3 * distance + i, subtract(subtract(load(corner + i), up), along));
      }
    }
}

/** Transposed convolution: x [B, S, S, I], filter [4, 4, N, I] -> y [B, 2S, 2S, N]; slices of C vectors. */
template <int C>
INLINE void convolveTransposed(int S, int I, int N, const float* x, const float* filter, float* y, int B, float* scratch) {
  constexpr int M = PIXELS * (3 - C), SLICE = C * WIDTH;
  const int SIDE = S / 2, SQUARE = SIDE * SIDE, ROW = (S + 1) * I, IMAGE = (S + 1) * ROW;
  const int together = (tilesTogether(2 * I) + SQUARE - 1) / SQUARE, columns = channelsTogether(N, 36 * I), TAPS_APART = I * columns + APART;
  float *taps = scratch, *images = taps + 36 * TAPS_APART;
  for (int firstN = 0; firstN < N; firstN += columns) {
    const int width = N - firstN < columns ? N - firstN : columns;
    transformFilter<C>(I, N, width, filter + firstN * I, taps, TAPS_APART);
    for (int first = 0; first < B; first += together) {
      const int some = B - first < together ? B - first : together, count = some * SQUARE;
      if (firstN == 0 || B > together)
        for (int b = 0; b < some; b++)
          subtractNeighbours(S, I, x + (int64_t)(first + b) * S * S * I, images + b * IMAGE, together * IMAGE);
      // Where a tile begins in the images, and its outputs. A row beyond the last tile is computed and not stored: it reads what there is.
      int rows[MOST_TILES];
      float* outs[MOST_TILES];
      for (int t = 0; t < count + M; t++) {
        const int tile = t < count ? t : 0, row = tile / SIDE % SIDE, column = tile % SIDE;
        rows[t] = tile / SQUARE * IMAGE + (row * ROW + column * I) * 2;
        outs[t] = y + firstN + ((int64_t)(first + tile / SQUARE) * 4 * S * S + row * 8 * S + column * 4) * N;
      }
      for (int position = 0; position < 4; position++)
        for (int u = 0; u < 3; u++)
          for (int v = 0; v < 3; v++) {
            const int py = position >> 1, px = position & 1;
            const float* image = images + ((u != 1) * 2 + (v != 1)) * together * IMAGE + (py + u / 2) * ROW + (px + v / 2) * I;
            for (int n = 0; n < width; n += SLICE)
              for (int tile = 0; tile < count; tile += M) {
                const float* b = taps + (position * 9 + u * 3 + v) * TAPS_APART + n * I;
                addProducts<M, C, 1>(u, v, [&](int m) { return image + rows[tile + m]; }, b, I, count - tile, true, [&](int m, int r, int c) {
                  return outs[tile + m] + (py * 2 * S + px) * N + (r * 4 * S + c * 2) * N + n;
                });
              }
          }
    }
  }
}

/** Gradient of the filter [4, 4, I, N] of a convolution, from x [B, S, S, I] and dy [B, S/2, S/2, N]; slices of C vectors. */
template <int C>
INLINE void convolveFilter(int S, int I, int N, const float* x, const float* dy, float* dFilter, int B, float* scratch) {
  constexpr int M = PIXELS * (3 - C), SLICE = C * WIDTH, PITCH = GRADIENT_TILES + 1;
  const int O = S / 2, SIDE = O / 2, all = B * SIDE * SIDE, channels = I < GRADIENT_CHANNELS ? I : GRADIENT_CHANNELS;
  const int parts = (I + channels - 1) / channels;
  float *tiles = scratch, *outputs = tiles + 9 * channels * PITCH; // [u, v, channel / WIDTH, tile, WIDTH] and [u, v, slice, tile, slice]
  for (int first = 0; first < all; first += GRADIENT_TILES) {
    const int count = all - first < GRADIENT_TILES ? all - first : GRADIENT_TILES;
    for (int t = 0; t < count; t++) {
      const int tile = first + t;
      const float* values = dy + ((int64_t)(tile / SIDE * 2) * O + tile % SIDE * 2) * N;
      transformTaps(N, [&](int r, int c) { return values + (r * O + c) * N; },
                    [&](int u, int v, int n, Vector value) {
                      store(outputs + ((u * 3 + v) * N + n / SLICE * SLICE) * PITCH + t * SLICE + n % SLICE, value);
                    });
    }
    for (int part = 0; part < 4 * parts; part++) {
      const int parity = part / parts, firstI = part % parts * channels, width = I - firstI < channels ? I - firstI : channels;
      for (int t = 0; t < count; t++) {
        const auto pixel = pixelsOf(S, I, x, first + t, parity);
        transformPixels(width, [&](int r, int c) { return pixel(r, c) + firstI; },
                        [&](int u, int v, int i, Vector value) { store(tiles + ((u * 3 + v) * channels + i) * PITCH + t * WIDTH, value); });
      }
      float* to = dFilter + (((parity >> 1) * 4 + (parity & 1)) * I + firstI) * N;
      for (int n = 0; n < N; n += SLICE)
        for (int i = 0; i < width; i += M)
          for (int u = 0; u < 3; u++)
            for (int v = 0; v < 3; v++) {
              const float* a = tiles + ((u * 3 + v) * channels + i / WIDTH * WIDTH) * PITCH + i % WIDTH;
              addProducts<M, C, WIDTH>(u, v, [=](int m) { return a + m / WIDTH * WIDTH * PITCH + m % WIDTH; },
                                       outputs + ((u * 3 + v) * N + n) * PITCH, count, M, first == 0,
                                       [&](int m, int r, int c) { return to + ((r * 8 + c * 2) * I + i + m) * N + n; });
            }
    }
  }
}
