// What the convolutions are made of: products of blocks that stay in registers (Goto & van de Geijn, "Anatomy of High-Performance Matrix
// Multiplication", 2008), where a block is some pixels by some channels, and images with a margin. Sizes are known when this is compiled.

/** Vectors of channels in a block. With one vector, a block has twice the pixels. */
template <int N>
constexpr int COLUMNS = N >= 2 * WIDTH ? 2 : 1;
template <int N>
constexpr int ROWS = PIXELS * (3 - COLUMNS<N>);

/** acc[m][c] += sum over k of a[offset(m) + k * step] * b[k * N + c * WIDTH]. */
template <int N, int M, int C, class Offset>
INLINE void multiplyAdd(Vector (&acc)[M][C], const float* a, Offset offset, const float* b, int K, int step = 1) {
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
    a += step;
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
