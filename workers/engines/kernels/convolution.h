// What the convolutions are made of: products of blocks that stay in registers (Goto & van de Geijn, "Anatomy of High-Performance Matrix
// Multiplication", 2008), where a block is some pixels by some channels, and images with a margin. Sizes are known when this is compiled.

/** Most channels of a layer. */
constexpr int MOST_CHANNELS = 1024;

/** acc[m][c] += sum over k of rows(m)[k * step] * b[k * N + c * WIDTH]. */
template <int M, int C, class Rows>
INLINE void multiplyAdd(Vector (&acc)[M][C], Rows rows, const float* b, int K, int N, int step = 1) {
  const float* a[M];
#pragma GCC unroll 16
  for (int m = 0; m < M; m++) a[m] = rows(m);
#pragma GCC unroll 2
  for (int k = 0; k < K; k++) {
    Vector w[C];
#pragma GCC unroll 16
    for (int c = 0; c < C; c++) w[c] = load(b + k * N + c * WIDTH);
#pragma GCC unroll 16
    for (int m = 0; m < M; m++) {
      const Vector x = splat(a[m][k * step]);
#pragma GCC unroll 16
      for (int c = 0; c < C; c++) acc[m][c] = fma(x, w[c], acc[m][c]);
    }
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
