// Convolutions of kernel 4 and stride 2 with a margin of 1, by Winograd's minimal filtering F(2 x 2, 2 x 2): 9 products in place of 16
// (Winograd, "Arithmetic Complexity of Computations", 1980; Lavin & Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016).
// Layout NHWC, filter [4, 4, I, O]. By the parities of the larger image's pixels, such a convolution is four of kernel 2 and stride 1.
// Along one axis two outputs y0 = d0 g0 + d1 g1 and y1 = d1 g0 + d2 g1, of three pixels and two taps, are y0 = m0 + m1 and
// y1 = m1 + m2 with m0 = (d0 - d1) g0, m1 = d1 (g0 + g1) and m2 = (d2 - d1) g1. A tile is 2 x 2 outputs and the 3 x 3 pixels that they
// see; u and v, from 0 to 2, count its values along y and x. The gradient of the taps takes the same steps with the outputs' as taps.
// Transformed values lie so that a block reads them in one piece. What is multiplied together stays in the second cache.

/** Tiles that are transformed together. */
constexpr int TILES = 32;
/** As TILES, for the gradient of a filter. It is added up group by group: another number gives other bits. */
constexpr int GRADIENT_TILES = 128;
/** Floats between matrices: at a distance of a power of two, all of them would share a few places of the caches. */
constexpr int APART = 272;

/** A pixel outside its image, of up to 128 channels. */
alignas(64) const float OUTSIDE[128] = {};

/** The nine values of a transformed tile, for I channels; pixel(y, x) is where the channels of a pixel of the 3 x 3 lie. */
template <int I, class Pixel, class Put>
INLINE void transformPixels(Pixel pixel, Put put) {
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
template <int SIZE, class Tap, class Put>
INLINE void transformTaps(Tap tap, Put put) {
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
 * Adds the first `rows` rows of a block of products u, v, over k of a[from(m) + k * STEP] by b [K, C vectors], to the outputs of the 2 x 2
 * that have them as a part: row m of output y, x lies at to(m, y, x).
 */
template <int M, int C, int STEP, class From, class To>
INLINE void addProducts(int u, int v, const float* a, From from, const float* b, int K, int rows, bool isFirst, To to) {
  Vector acc[M][C];
#pragma GCC unroll 16
  for (int m = 0; m < M; m++)
    for (int c = 0; c < C; c++) acc[m][c] = zero();
  multiplyAdd<C * WIDTH>(acc, a, from, b, K, STEP);
  for (int y = u / 2; y <= (u + 1) / 2; y++)
    for (int x = v / 2; x <= (v + 1) / 2; x++) {
      const bool isNew = isFirst && y == u && x == v;
#pragma GCC unroll 16
      for (int m = 0; m < M; m++) {
        if (m >= rows) break;
        float* out = to(m, y, x);
#pragma GCC unroll 2
        for (int c = 0; c < C; c++) store(out + c * WIDTH, isNew ? acc[m][c] : add(load(out + c * WIDTH), acc[m][c]));
      }
    }
}

/** Where the pixels of one parity in a tile of a convolution lie, images [B, S, S, I]. */
template <int S, int I>
INLINE auto pixelsOf(const float* images, int tile, int parity) {
  constexpr int SIDE = S / 4;
  const int row = tile / SIDE % SIDE * 4 + (parity >> 1) - 1, column = tile % SIDE * 4 + (parity & 1) - 1;
  const float* first = images + ((int64_t)tile / (SIDE * SIDE) * S * S + row * S + column) * I;
  return [=](int y, int x) {
    const bool isInside = row + 2 * y >= 0 && row + 2 * y < S && column + 2 * x >= 0 && column + 2 * x < S;
    return isInside ? first + (y * S + x) * 2 * I : OUTSIDE;
  };
}

/** Convolution: x [B, S, S, I], filter [4, 4, I, N] -> y [B, S/2, S/2, N]. */
template <int S, int I, int N>
void convolve(const float* x, const float* filter, float* y, int B, float* scratch) {
  constexpr int O = S / 2, SIDE = O / 2, GROUP = TILES / (SIDE * SIDE), K = 4 * I;
  constexpr int M = ROWS<N>, C = COLUMNS<N>, SLICE = C * WIDTH;
  const auto to = [](int m) { return ((m / SIDE * 2) * O + m % SIDE * 2) * N; };
  const auto from = [](int m) { return m * K; };
  constexpr int TAPS_APART = K * N + APART, TILES_APART = TILES * K + APART;
  static_assert(9 * (TAPS_APART + TILES_APART) <= SCRATCH_FLOATS);
  float *taps = scratch, *tiles = taps + 9 * TAPS_APART; // [u, v, N / slice, K, slice] and [u, v, tile, K]
  for (int k = 0; k < K; k++) {
    const float* first = filter + ((k / I >> 1) * 4 + (k / I & 1)) * I * N + k % I * N;
    transformTaps<N>([&](int r, int c) { return first + (r * 8 + c * 2) * I * N; },
                     [&](int u, int v, int n, Vector value) {
                       store(taps + (u * 3 + v) * TAPS_APART + n / SLICE * SLICE * K + k * SLICE + n % SLICE, value);
                     });
  }
  for (int first = 0; first < B; first += GROUP) {
    const int count = (B - first < GROUP ? B - first : GROUP) * SIDE * SIDE;
    for (int tile = 0; tile < count; tile++)
      for (int parity = 0; parity < 4; parity++) {
        float* at = tiles + tile * K + parity * I;
        transformPixels<I>(pixelsOf<S, I>(x + (int64_t)first * S * S * I, tile, parity),
                           [&](int u, int v, int i, Vector value) { store(at + (u * 3 + v) * TILES_APART + i, value); });
      }
    for (int u = 0; u < 3; u++)
      for (int v = 0; v < 3; v++)
        for (int n = 0; n < N; n += SLICE)
          for (int tile = 0; tile < count; tile += M) {
            const float *a = tiles + (u * 3 + v) * TILES_APART + tile * K, *b = taps + (u * 3 + v) * TAPS_APART + n * K;
            float* out = y + (int64_t)first * O * O * N + to(tile) + n;
            addProducts<M, C, 1>(u, v, a, from, b, K, count - tile, true,
                                 [&](int m, int r, int c) { return out + to(m) + (r * O + c) * N; });
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
 * The taps of a transposed convolution: filter [4, 4, N, I] -> [position y, x, u, v, N / slice, I, slice] for the positions of an output
 * pixel in its 2 x 2 block.
 */
template <int I, int N>
INLINE void transformFilter(const float* filter, float* taps) {
  constexpr int SLICE = COLUMNS<N> * WIDTH, TAPS_APART = I * N + APART;
  for (int position = 0; position < 4; position++)
    for (int n = 0; n < N; n += WIDTH)
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
        float* to = taps + position * 9 * TAPS_APART + n / SLICE * SLICE * I + i * SLICE + n % SLICE;
        transformTaps<WIDTH * WIDTH>([&](int r, int c) { return square[r * 2 + c]; },
                                     [&](int u, int v, int k, Vector value) {
                                       const Vector sign = splat((u == 2) == (v == 2) ? 1 : -1);
                                       store(to + (u * 3 + v) * TAPS_APART + k / WIDTH * SLICE, multiply(value, sign));
                                     });
      }
}

/**
 * What transformed tiles of an image [S, S, I] with a margin of 1 are made of, in four images [S + 1, S + 1, I] at a distance: its pixels,
 * each pixel less the next along x, less the next along y, and both. Tiles share the differences, so those of u or v 2 have the sign of
 * d1 - d2: transformFilter makes up for it. What lies beyond the sides in the first three is not used.
 */
template <int S, int I>
INLINE void subtractNeighbours(const float* image, float* to, int distance) {
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

/** Transposed convolution: x [B, S, S, I], filter [4, 4, N, I] -> y [B, 2S, 2S, N]. */
template <int S, int I, int N>
void convolveTransposed(const float* x, const float* filter, float* y, int B, float* scratch) {
  constexpr int SIDE = S / 2, GROUP = TILES / (SIDE * SIDE), M = ROWS<N>, C = COLUMNS<N>, SLICE = C * WIDTH;
  constexpr int ROW = (S + 1) * I, IMAGE = (S + 1) * ROW;
  const auto from = [](int m) { return m / (SIDE * SIDE) * IMAGE + m / SIDE % SIDE * 2 * ROW + m % SIDE * 2 * I; };
  const auto to = [](int m) { return ((m / (SIDE * SIDE) * 2 * S + m / SIDE % SIDE * 4) * 2 * S + m % SIDE * 4) * N; };
  constexpr int TAPS_APART = I * N + APART;
  static_assert(36 * TAPS_APART + 4 * GROUP * IMAGE <= SCRATCH_FLOATS);
  float *taps = scratch, *images = taps + 36 * TAPS_APART;
  transformFilter<I, N>(filter, taps);
  for (int first = 0; first < B; first += GROUP) {
    const int some = B - first < GROUP ? B - first : GROUP, count = some * SIDE * SIDE;
    for (int b = 0; b < some; b++) subtractNeighbours<S, I>(x + (int64_t)(first + b) * S * S * I, images + b * IMAGE, GROUP * IMAGE);
    for (int position = 0; position < 4; position++)
      for (int u = 0; u < 3; u++)
        for (int v = 0; v < 3; v++) {
          const int py = position >> 1, px = position & 1;
          const float* image = images + ((u != 1) * 2 + (v != 1)) * GROUP * IMAGE + (py + u / 2) * ROW + (px + v / 2) * I;
          for (int n = 0; n < N; n += SLICE)
            for (int tile = 0; tile < count; tile += M) {
              const float* b = taps + (position * 9 + u * 3 + v) * TAPS_APART + n * I;
              float* out = y + (int64_t)first * 4 * S * S * N + to(tile) + (py * 2 * S + px) * N + n;
              addProducts<M, C, 1>(u, v, image + from(tile), from, b, I, count - tile, true,
                                   [&](int m, int r, int c) { return out + to(m) + (r * 4 * S + c * 2) * N; });
            }
        }
  }
}

/** Gradient of the filter [4, 4, I, N] of a convolution, from x [B, S, S, I] and dy [B, S/2, S/2, N]. */
template <int S, int I, int N>
void convolveFilter(const float* x, const float* dy, float* dFilter, int B, float* scratch) {
  constexpr int O = S / 2, SIDE = O / 2, GROUP = GRADIENT_TILES / (SIDE * SIDE), K = 4 * I, PITCH = GRADIENT_TILES + 1;
  constexpr int M = ROWS<N>, C = COLUMNS<N>, SLICE = C * WIDTH;
  static_assert(9 * (K + N) * PITCH <= SCRATCH_FLOATS);
  const auto from = [](int m) { return m / WIDTH * WIDTH * PITCH + m % WIDTH; };
  float *tiles = scratch, *outputs = tiles + 9 * K * PITCH; // [u, v, K / WIDTH, tile, WIDTH] and [u, v, N / slice, tile, slice]
  for (int first = 0; first < B; first += GROUP) {
    const int count = (B - first < GROUP ? B - first : GROUP) * SIDE * SIDE;
    for (int tile = 0; tile < count; tile++) {
      for (int parity = 0; parity < 4; parity++) {
        float* to = tiles + parity * I * PITCH + tile * WIDTH;
        transformPixels<I>(pixelsOf<S, I>(x + (int64_t)first * S * S * I, tile, parity),
                           [&](int u, int v, int i, Vector value) { store(to + ((u * 3 + v) * K + i) * PITCH, value); });
      }
      const float* values = dy + ((int64_t)first * O * O + tile / SIDE * 2 * O + tile % SIDE * 2) * N;
      float* to = outputs + tile * SLICE;
      transformTaps<N>([&](int r, int c) { return values + (r * O + c) * N; },
                       [&](int u, int v, int n, Vector value) {
                         store(to + ((u * 3 + v) * N + n / SLICE * SLICE) * PITCH + n % SLICE, value);
                       });
    }
    for (int u = 0; u < 3; u++)
      for (int v = 0; v < 3; v++)
        for (int n = 0; n < N; n += SLICE)
          for (int k = 0; k < K; k += M) {
            const float* a = tiles + ((u * 3 + v) * K + k / WIDTH * WIDTH) * PITCH + k % WIDTH;
            const float* b = outputs + ((u * 3 + v) * N + n) * PITCH;
            float* out = dFilter + (((k / I >> 1) * 4 + (k / I & 1)) * I + k % I) * N + n;
            addProducts<M, C, WIDTH>(u, v, a, from, b, count, M, first == 0,
                                     [&](int m, int r, int c) { return out + ((r * 8 + c * 2) * I + m) * N; });
          }
  }
}
