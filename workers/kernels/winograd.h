// The convolutions of convolution.h with 9 products in place of 16: Winograd's minimal filtering F(2 x 2, 2 x 2) (Winograd, "Arithmetic
// Complexity of Computations", 1980; Lavin & Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016). By the parities of the
// larger image's pixels, a convolution of kernel 4 and stride 2 is four of kernel 2 and stride 1. Along one axis, two outputs take
// y0 = d0 g0 + d1 g1 and y1 = d1 g0 + d2 g1 from three pixels and two taps: with m0 = (d0 - d1) g0, m1 = d1 (g0 + g1) and
// m2 = (d2 - d1) g1 they are m0 + m1 and m1 + m2. A tile is 2 x 2 outputs from 3 x 3 pixels: u and v from 0 to 2 count its m along y and x.
// One u, v at a time is transformed and multiplied for a group of tiles, so that all of it stays in the second cache.

/** A pixel outside its image. */
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

/** Adds the first `rows` rows of a block to the outputs of the 2 x 2 that have u, v as a part: row m of output y, x lies at to(m, y, x). */
template <int M, int C, class To>
INLINE void addToOutputs(const Vector (&acc)[M][C], int u, int v, int rows, bool isFirst, To to) {
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

/** As convolve: x [B, S, S, I], filter [4, 4, I, N] -> y [B, S/2, S/2, N]. */
template <int S, int I, int N>
void convolveTiles(const float* x, const float* filter, float* y, int B, float* scratch) {
  constexpr int O = S / 2, SIDE = O / 2, TILES = CTILES, GROUP = TILES / (SIDE * SIDE), K = 4 * I;
  constexpr int M = ROWS<N>, C = COLUMNS<N>, SLICE = C * WIDTH;
  const auto to = [](int m) { return ((m / SIDE * 2) * O + m % SIDE * 2) * N; };
  const auto from = [](int m) { return m * K; };
  float *taps = scratch, *tiles = taps + 9 * K * N; // [u, v, N / slice, K, slice] and [u, v, tile, K]
  for (int k = 0; k < K; k++) {
    const float* first = filter + ((k / I >> 1) * 4 + (k / I & 1)) * I * N + k % I * N;
    transformTaps<N>([&](int r, int c) { return first + (r * 8 + c * 2) * I * N; },
                     [&](int u, int v, int n, Vector value) {
                       store(taps + ((u * 3 + v) * N + n / SLICE * SLICE) * K + k * SLICE + n % SLICE, value);
                     });
  }
  for (int first = 0; first < B; first += GROUP) {
    const int count = (B - first < GROUP ? B - first : GROUP) * SIDE * SIDE;
    for (int tile = 0; tile < count; tile++)
      for (int parity = 0; parity < 4; parity++) {
        float* at = tiles + tile * K + parity * I;
        transformPixels<I>(pixelsOf<S, I>(x + (int64_t)first * S * S * I, tile, parity),
                           [&](int u, int v, int i, Vector value) { store(at + (u * 3 + v) * TILES * K + i, value); });
      }
    for (int u = 0; u < 3; u++)
      for (int v = 0; v < 3; v++)
        for (int n = 0; n < N; n += SLICE)
          for (int tile = 0; tile < count; tile += M) {
            Vector acc[M][C];
#pragma GCC unroll 16
            for (int m = 0; m < M; m++)
              for (int c = 0; c < C; c++) acc[m][c] = zero();
            multiplyAdd<SLICE>(acc, tiles + ((u * 3 + v) * TILES + tile) * K, from, taps + ((u * 3 + v) * N + n) * K, K);
            float* out = y + (int64_t)first * O * O * N + to(tile) + n;
            addToOutputs(acc, u, v, count - tile, true, [&](int m, int r, int c) { return out + to(m) + (r * O + c) * N; });
          }
  }
}

/** Transposes a square of values. */
INLINE void transpose(Vector (&rows)[WIDTH]) {
  using Lanes = int __attribute__((vector_size(sizeof(Vector))));
#pragma GCC unroll 4
  for (int step = 1; step < WIDTH; step *= 2) {
    Lanes upper, lower;
#pragma GCC unroll 16
    for (int i = 0; i < WIDTH; i++) {
      upper[i] = i & step ? WIDTH + i - step : i;
      lower[i] = i & step ? WIDTH + i : i + step;
    }
#pragma GCC unroll 16
    for (int i = 0; i < WIDTH; i++)
      if (!(i & step)) {
        const Vector above = rows[i], below = rows[i + step];
        rows[i] = __builtin_shuffle(above, below, upper);
        rows[i + step] = __builtin_shuffle(above, below, lower);
      }
  }
}

/**
 * The taps of a transposed convolution: filter [4, 4, N, I] -> [position y, x, u, v, N / slice, I, slice] for the positions of an output
 * pixel in its 2 x 2 block.
 */
template <int I, int N>
INLINE void transformFilter(const float* filter, float* taps) {
  constexpr int SLICE = COLUMNS<N> * WIDTH;
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
        float* to = taps + (position * 9 * N + n / SLICE * SLICE) * I + i * SLICE + n % SLICE;
        transformTaps<WIDTH * WIDTH>([&](int r, int c) { return square[r * 2 + c]; },
                                     [&](int u, int v, int k, Vector value) {
                                       const Vector sign = splat((u == 2) == (v == 2) ? 1 : -1);
                                       store(to + (u * 3 + v) * N * I + k / WIDTH * SLICE, multiply(value, sign));
                                     });
      }
}

/**
 * Differences of an image [S, S, I] with a margin of 1, [S + 1, S + 1, I] each: to[0] has the image, to[1] pixel - next along x,
 * to[2] pixel - next along y, to[3] the difference of to[2] along x. What lies beyond the image in to[0] to to[2] is not used.
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

/** As convolveTransposed: x [B, S, S, I], filter [4, 4, N, I] -> y [B, 2S, 2S, N]. */
template <int S, int I, int N>
void convolveTransposedTiles(const float* x, const float* filter, float* y, int B, float* scratch) {
  constexpr int SIDE = S / 2, TILES = TTILES, GROUP = TILES / (SIDE * SIDE), M = ROWS<N>, C = COLUMNS<N>, SLICE = C * WIDTH;
  constexpr int ROW = (S + 1) * I, IMAGE = (S + 1) * ROW;
  const auto from = [](int m) { return m / (SIDE * SIDE) * IMAGE + m / SIDE % SIDE * 2 * ROW + m % SIDE * 2 * I; };
  const auto to = [](int m) { return ((m / (SIDE * SIDE) * 2 * S + m / SIDE % SIDE * 4) * 2 * S + m % SIDE * 4) * N; };
  float *taps = scratch, *images = taps + 36 * I * N;
  transformFilter<I, N>(filter, taps);
  for (int first = 0; first < B; first += GROUP) {
    const int count = B - first < GROUP ? B - first : GROUP;
    for (int b = 0; b < count; b++) subtractNeighbours<S, I>(x + (int64_t)(first + b) * S * S * I, images + b * IMAGE, GROUP * IMAGE);
    for (int position = 0; position < 4; position++)
      for (int u = 0; u < 3; u++)
        for (int v = 0; v < 3; v++) {
          const int py = position >> 1, px = position & 1;
          const float* plane = images + ((u != 1) * 2 + (v != 1)) * GROUP * IMAGE + (py + u / 2) * ROW + (px + v / 2) * I;
          for (int n = 0; n < N; n += SLICE)
            for (int tile = 0; tile < count * SIDE * SIDE; tile += M) {
              Vector acc[M][C];
#pragma GCC unroll 16
              for (int m = 0; m < M; m++)
                for (int c = 0; c < C; c++) acc[m][c] = zero();
              multiplyAdd<SLICE>(acc, plane + from(tile), from, taps + ((position * 9 + u * 3 + v) * N + n) * I, I);
              float* out = y + (int64_t)first * 4 * S * S * N + to(tile) + (py * 2 * S + px) * N + n;
              addToOutputs(acc, u, v, count * SIDE * SIDE - tile, true, [&](int m, int r, int c) {
                return out + to(m) + (r * 4 * S + c * 2) * N;
              });
            }
        }
  }
}

/** As convolveFilter: the gradient of the filter [4, 4, I, N], from x [B, S, S, I] and dy [B, S/2, S/2, N]. */
template <int S, int I, int N>
void convolveFilterTiles(const float* x, const float* dy, float* dFilter, int B, float* scratch) {
  constexpr int O = S / 2, SIDE = O / 2, TILES = FTILES, GROUP = TILES / (SIDE * SIDE), K = 4 * I;
  constexpr int M = ROWS<N>, C = COLUMNS<N>, SLICE = C * WIDTH;
  float *tiles = scratch, *outputs = tiles + 9 * TILES * K; // [u, v, K / WIDTH, tile, WIDTH] and [u, v, N / slice, tile, slice]
  for (int first = 0; first < B; first += GROUP) {
    const int count = (B - first < GROUP ? B - first : GROUP) * SIDE * SIDE;
    for (int tile = 0; tile < count; tile++) {
      for (int parity = 0; parity < 4; parity++) {
        float* to = tiles + parity * I * TILES + tile * WIDTH;
        transformPixels<I>(pixelsOf<S, I>(x + (int64_t)first * S * S * I, tile, parity),
                           [&](int u, int v, int i, Vector value) { store(to + ((u * 3 + v) * K + i) * TILES, value); });
      }
      const float* from = dy + ((int64_t)first * O * O + tile / SIDE * 2 * O + tile % SIDE * 2) * N;
      float* to = outputs + tile * SLICE;
      transformTaps<N>([&](int r, int c) { return from + (r * O + c) * N; },
                       [&](int u, int v, int n, Vector value) {
                         store(to + ((u * 3 + v) * N + n / SLICE * SLICE) * TILES + n % SLICE, value);
                       });
    }
    for (int u = 0; u < 3; u++)
      for (int v = 0; v < 3; v++)
        for (int n = 0; n < N; n += SLICE)
          for (int k = 0; k < K; k += M) {
            Vector acc[M][C];
#pragma GCC unroll 16
            for (int m = 0; m < M; m++)
              for (int c = 0; c < C; c++) acc[m][c] = zero();
            const float* a = tiles + ((u * 3 + v) * K + k / WIDTH * WIDTH) * TILES + k % WIDTH;
            multiplyAdd<SLICE, WIDTH>(acc, a, [](int m) { return m; }, outputs + ((u * 3 + v) * N + n) * TILES, count);
            float* out = dFilter + (((k / I >> 1) * 4 + (k / I & 1)) * I + k % I) * N + n;
            addToOutputs(acc, u, v, M, first == 0, [&](int m, int r, int c) { return out + ((r * 8 + c * 2) * I + m) * N; });
          }
  }
}
