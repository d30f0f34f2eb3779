// Convolutions of kernel 4 and stride 2, as products of blocks that stay in registers: a block is some pixels by some
// channels, and a pixel's row of the kernel lies in one piece once the image has a margin of zeros (Goto & van de Geijn, "Anatomy of
// High-Performance Matrix Multiplication", 2008). Layout NHWC, filter [4, 4, I, O]. Sizes are known when this is compiled.

#ifdef GANGLION_AVX512
constexpr int PIXELS = 8;
#else
constexpr int PIXELS = 4;
#endif
/** Vectors of channels in a block. With one vector, a block has twice the pixels. */
template <int N>
constexpr int COLUMNS = N >= 2 * WIDTH ? 2 : 1;
template <int N>
constexpr int ROWS = PIXELS * (3 - COLUMNS<N>);

/** acc[m][c] += sum over k of a[offset(m) + k * STEP] * b[k * N + c * WIDTH]. */
template <int N, int STEP = 1, int M, int C, class Offset>
INLINE void multiplyAdd(Vector (&acc)[M][C], const float* a, Offset offset, const float* b, int K) {
#pragma GCC unroll 2
  for (int k = 0; k < K; k++) {
    Vector w[C];
#pragma GCC unroll 2
    for (int c = 0; c < C; c++) w[c] = load(b + c * WIDTH);
#pragma GCC unroll 16
    for (int m = 0; m < M; m++) {
      const Vector x = splat(a[offset(m)]);
#pragma GCC unroll 2
      for (int c = 0; c < C; c++) acc[m][c] = fma(x, w[c], acc[m][c]);
    }
    a += STEP;
    b += N;
  }
}

template <int M, int C, class Offset>
INLINE void storeBlock(const Vector (&acc)[M][C], float* y, Offset offset) {
#pragma GCC unroll 16
  for (int m = 0; m < M; m++)
#pragma GCC unroll 2
    for (int c = 0; c < C; c++) store(y + offset(m) + c * WIDTH, acc[m][c]);
}

/** Copies an image [S, S, I] to the middle of one that is P pixels larger on every side. */
template <int S, int I, int P>
INLINE void addMargin(const float* from, float* to) {
  constexpr int ROW = (S + 2 * P) * I;
  memset(to, 0, sizeof(float) * P * ROW);
  for (int y = 0; y < S; y++) {
    float* row = to + (y + P) * ROW;
    memset(row, 0, sizeof(float) * P * I);
    memcpy(row + P * I, from + y * S * I, sizeof(float) * S * I);
    memset(row + (P + S) * I, 0, sizeof(float) * P * I);
  }
  memset(to + (S + P) * ROW, 0, sizeof(float) * P * ROW);
}

/** Images that are computed together, so that a row of the filter serves all of them from the nearest cache. */
template <int S>
constexpr int GROUP = S >= 16 ? 2 : 8;

/** Convolution with a margin of 1: x [B, S, S, I], filter [4, 4, I, N] -> y [B, S/2, S/2, N]. */
template <int S, int I, int N>
void convolve(const float* x, const float* filter, float* y, int B, float* scratch) {
  constexpr int O = S / 2, SIDE = S + 2, IMAGE = SIDE * SIDE * I;
  constexpr int M = ROWS<N>, C = COLUMNS<N>;
  constexpr int ROW = O < M ? O : M, LINES = M / ROW;
  const auto to = [](int m) { return ((m / ROW) * O + m % ROW) * N; };
  const auto from = [](int m) { return ((m / ROW) * SIDE + m % ROW) * 2 * I; };
  for (int first = 0; first < B; first += GROUP<S>) {
    const int count = B - first < GROUP<S> ? B - first : GROUP<S>;
    for (int b = 0; b < count; b++) addMargin<S, I, 1>(x + (int64_t)(first + b) * S * S * I, scratch + b * IMAGE);
    for (int n = 0; n < N; n += C * WIDTH)
      for (int ky = 0; ky < 4; ky++)
        for (int b = 0; b < count; b++)
          for (int oy = 0; oy < O; oy += LINES)
            for (int ox = 0; ox < O; ox += ROW) {
              float* out = y + (((int64_t)(first + b) * O + oy) * O + ox) * N + n;
              Vector acc[M][C];
#pragma GCC unroll 16
              for (int m = 0; m < M; m++)
                for (int c = 0; c < C; c++) acc[m][c] = ky == 0 ? zero() : load(out + to(m) + c * WIDTH);
              const float* a = scratch + b * IMAGE + ((2 * oy + ky) * SIDE + 2 * ox) * I;
              multiplyAdd<N>(acc, a, from, filter + ky * 4 * I * N + n, 4 * I);
              storeBlock(acc, out, to);
            }
  }
}

/**
 * The filter [4, 4, N, I] of a transposed convolution, for each of the four positions of an output pixel in its 2 x 2 block: the 2 x 2
 * inputs that it sees, [position y, x, input y, x, I, N].
 */
template <int I, int N>
INLINE void packFilter(const float* filter, float* packed) {
  for (int position = 0; position < 4; position++)
    for (int input = 0; input < 4; input++) {
      const int ky = 3 - (position >> 1) - 2 * (input >> 1), kx = 3 - (position & 1) - 2 * (input & 1);
      const float* from = filter + (ky * 4 + kx) * N * I;
      float* to = packed + (position * 4 + input) * I * N;
      for (int i0 = 0; i0 < I; i0 += 16)
        for (int n0 = 0; n0 < N; n0 += 16)
          for (int i = i0; i < i0 + 16; i++)
            for (int n = n0; n < n0 + 16; n++) to[i * N + n] = from[n * I + i];
    }
}

/** Transposed convolution with a margin of 1: x [B, S, S, I], filter [4, 4, N, I] -> y [B, 2S, 2S, N]. */
template <int S, int I, int N>
void convolveTransposed(const float* x, const float* filter, float* y, int B, float* scratch) {
  constexpr int SIDE = S + 2, IMAGE = SIDE * SIDE * I;
  constexpr int M = ROWS<N>, C = COLUMNS<N>;
  constexpr int ROW = S < M ? S : M, LINES = M / ROW;
  const auto to = [](int m) { return ((m / ROW) * 4 * S + m % ROW * 2) * N; };
  const auto from = [](int m) { return ((m / ROW) * SIDE + m % ROW) * I; };
  float* packed = scratch;
  float* images = scratch + 16 * I * N;
  packFilter<I, N>(filter, packed);
  for (int first = 0; first < B; first += GROUP<2 * S>) {
    const int count = B - first < GROUP<2 * S> ? B - first : GROUP<2 * S>;
    for (int b = 0; b < count; b++) addMargin<S, I, 1>(x + (int64_t)(first + b) * S * S * I, images + b * IMAGE);
    for (int position = 0; position < 4; position++) {
      const int py = position >> 1, px = position & 1;
      for (int n = 0; n < N; n += C * WIDTH)
        for (int b = 0; b < count; b++)
          for (int sy = 0; sy < S; sy += LINES)
            for (int sx = 0; sx < S; sx += ROW) {
              Vector acc[M][C];
#pragma GCC unroll 16
              for (int m = 0; m < M; m++)
                for (int c = 0; c < C; c++) acc[m][c] = zero();
              for (int line = 0; line < 2; line++) {
                const float* a = images + b * IMAGE + ((sy + py + line) * SIDE + sx + px) * I;
                multiplyAdd<N>(acc, a, from, packed + (position * 2 + line) * 2 * I * N + n, 2 * I);
              }
              storeBlock(acc, y + (((int64_t)(first + b) * 2 * S + 2 * sy + py) * 2 * S + 2 * sx + px) * N + n, to);
            }
    }
  }
}

/** Gradient of the filter [4, 4, I, N] of a convolution with a margin of 1, from x [B, S, S, I] and dy [B, S/2, S/2, N]. */
template <int S, int I, int N>
void convolveFilter(const float* x, const float* dy, float* dFilter, int B, float* scratch) {
  constexpr int O = S / 2, SIDE = S + 2, IMAGE = SIDE * SIDE * I;
  constexpr int M = ROWS<N>, C = COLUMNS<N>;
  const auto to = [](int m) { return m * N; };
  for (int first = 0; first < B; first += GROUP<S>) {
    const int count = B - first < GROUP<S> ? B - first : GROUP<S>;
    for (int b = 0; b < count; b++) addMargin<S, I, 1>(x + (int64_t)(first + b) * S * S * I, scratch + b * IMAGE);
    for (int n = 0; n < N; n += C * WIDTH)
      for (int ky = 0; ky < 4; ky++)
        for (int i = 0; i < 4 * I; i += M) { // a row of the kernel: 4 pixels of I channels, in one piece
          float* out = dFilter + (ky * 4 * I + i) * N + n;
          Vector acc[M][C];
#pragma GCC unroll 16
          for (int m = 0; m < M; m++)
            for (int c = 0; c < C; c++) acc[m][c] = first == 0 ? zero() : load(out + to(m) + c * WIDTH);
          for (int b = 0; b < count; b++) {
            const float* d = dy + (int64_t)(first + b) * O * O * N + n;
            for (int oy = 0; oy < O; oy++) {
              const float* a = scratch + b * IMAGE + (2 * oy + ky) * SIDE * I + i;
#pragma GCC unroll 4
              for (int ox = 0; ox < O; ox++) {
                Vector w[C];
#pragma GCC unroll 2
                for (int c = 0; c < C; c++) w[c] = load(d + c * WIDTH);
#pragma GCC unroll 16
                for (int m = 0; m < M; m++) {
                  const Vector v = splat(a[m]);
#pragma GCC unroll 2
                  for (int c = 0; c < C; c++) acc[m][c] = fma(v, w[c], acc[m][c]);
                }
                a += 2 * I;
                d += N;
              }
            }
          }
          storeBlock(acc, out, to);
        }
  }
}
