// Products of matrices, in the forms that the model has.

/**
 * c [M, N] = a b, N a multiple of 32: element (m, k) of a lies at a[m * rowStride + k * columnStride], b is [K, N]. A few columns of b at a
 * time are copied to one place: where N is a power of two, all their rows would share a few places of the nearest cache.
 */
INLINE void multiplyMatrices(const float* a, int rowStride, int columnStride, const float* b, float* c, int M, int K, int N, float* columns) {
  constexpr int R = PIXELS;
  const auto block = [&](auto rows, int m, int n) {
    constexpr int COUNT = decltype(rows)::value;
    Vector acc[COUNT][2];
#pragma GCC unroll 8
    for (int r = 0; r < COUNT; r++) acc[r][0] = acc[r][1] = zero();
    multiplyAdd(acc, [=](int r) { return a + (int64_t)(m + r) * rowStride; }, columns, K, 2 * WIDTH, columnStride);
    storeBlock(acc, c + (int64_t)m * N + n, [=](int r) { return r * N; });
  };
  for (int n = 0; n < N; n += 2 * WIDTH) {
    for (int k = 0; k < K; k++)
      for (int i = 0; i < 2 * WIDTH; i += WIDTH) store(columns + k * 2 * WIDTH + i, load(b + (int64_t)k * N + n + i));
    int m = 0;
    for (; m + R <= M; m += R) block(std::integral_constant<int, R>(), m, n);
    for (; m < M; m++) block(std::integral_constant<int, 1>(), m, n);
  }
}

/** y [M] = a [M, K] x [K]; 16 partial sums, whatever the width. */
INLINE void multiplyVector(const float* a, const float* x, float* y, int M, int K) {
  constexpr int C = 16 / WIDTH;
  for (int m = 0; m < M; m++) {
    Vector acc[C];
    for (int c = 0; c < C; c++) acc[c] = zero();
    int k = 0;
    for (; k + 16 <= K; k += 16)
      for (int c = 0; c < C; c++) acc[c] = fma(load(a + (int64_t)m * K + k + c * WIDTH), load(x + k + c * WIDTH), acc[c]);
    float partial[16];
    for (int c = 0; c < C; c++) store(partial + c * WIDTH, acc[c]);
    double sum = 0;
    for (const float value : partial) sum += value;
    for (; k < K; k++) sum += (double)a[(int64_t)m * K + k] * x[k];
    y[m] = (float)sum;
  }
}

/** y [N] = sum over m of x[m] a[m, n]. */
INLINE void sumRows(const float* a, const float* x, float* y, int M, int N) {
  memset(y, 0, sizeof(float) * N);
  for (int m = 0; m < M; m++) {
    const Vector factor = splat(x[m]);
    map(N, y, [&](Vector v, Vector sum) { return fma(v, factor, sum); }, a + (int64_t)m * N, (const float*)y);
  }
}

/** y [M, N] = x [M] times a [N]. */
INLINE void multiplyOuter(const float* x, const float* a, float* y, int M, int N) {
  for (int m = 0; m < M; m++) {
    const Vector factor = splat(x[m]);
    map(N, y + (int64_t)m * N, [&](Vector v) { return multiply(v, factor); }, a);
  }
}
