// BatchNorm over the pixels of a batch (Ioffe & Szegedy 2015) with the activation after it, forward and backward, and biases. Sums
// are taken in float32 over at most 64 pixels and in float64 from there: over 16 of those chunks, then over all, each in its order.
// The activation is LeakyReLU: slope 0 is ReLU, slope 1 none.

constexpr int CHUNK = 64, CHUNKS = 16;

/** Adds up K quantities a channel: term(pixel, vector of channels, Vector (&sums)[K]) adds to sums. -> sums[K][C]. */
template <int K, class Term>
INLINE void sumPixels(int64_t pixels, int C, double (*sums)[MOST_CHANNELS], Term term) {
  double some[K][MOST_CHANNELS]; // of some chunks
  for (int k = 0; k < K; k++)
    for (int c = 0; c < C; c++) sums[k][c] = some[k][c] = 0;
  for (int64_t first = 0; first < pixels; first += CHUNK) {
    const int64_t last = first + CHUNK < pixels ? first + CHUNK : pixels;
    const bool isEnd = last == pixels || last % (CHUNK * CHUNKS) == 0;
    for (int c = 0; c < C; c += WIDTH) {
      // four pixels at a time, as one sum would wait for itself
      Vector partial[4][K];
#pragma GCC unroll 4
      for (int j = 0; j < 4; j++)
#pragma GCC unroll 2
        for (int k = 0; k < K; k++) partial[j][k] = zero();
      int64_t pixel = first;
      for (; pixel + 4 <= last; pixel += 4)
#pragma GCC unroll 4
        for (int j = 0; j < 4; j++) term(pixel + j, c, partial[j]);
      for (; pixel < last; pixel++) term(pixel, c, partial[0]);
      for (int k = 0; k < K; k++) {
        float values[WIDTH];
        store(values, add(add(partial[0][k], partial[1][k]), add(partial[2][k], partial[3][k])));
        for (int i = c; i < c + WIDTH; i++) some[k][i] += values[i - c];
        if (!isEnd) continue;
        for (int i = c; i < c + WIDTH; i++) sums[k][i] += some[k][i], some[k][i] = 0;
      }
    }
  }
}

/** fma, not multiply: ReLU of a negative number is 0, not -0. */
INLINE Vector activate(Vector x, Vector slope) { return choose(isAbove(x, zero()), x, fma(x, slope, zero())); }

/** y = activation(x * factor + shift), by channel. */
INLINE void transform(const float* x, const float* factor, const float* shift, float slope, float* y, int64_t pixels, int C) {
  const Vector steep = splat(slope);
  for (int c = 0; c < C; c += 2 * WIDTH) {
    const int columns = C - c >= 2 * WIDTH ? 2 : 1;
    if (columns == 2) {
      const Vector f0 = load(factor + c), f1 = load(factor + c + WIDTH), s0 = load(shift + c), s1 = load(shift + c + WIDTH);
      for (int64_t p = 0; p < pixels; p++) {
        store(y + p * C + c, activate(fma(load(x + p * C + c), f0, s0), steep));
        store(y + p * C + c + WIDTH, activate(fma(load(x + p * C + c + WIDTH), f1, s1), steep));
      }
    } else {
      const Vector f0 = load(factor + c), s0 = load(shift + c);
      for (int64_t p = 0; p < pixels; p++) store(y + p * C + c, activate(fma(load(x + p * C + c), f0, s0), steep));
    }
  }
}

/** On the statistics of the batch: -> y, mean, unbiased variance, 1 / standard deviation. */
INLINE void normalise(const float* x, const float* weight, const float* bias, float slope, float* y, float* mean, float* variance,
                      float* inverse, int64_t pixels, int C) {
  double sums[2][MOST_CHANNELS];
  // of the distances from the first pixel: squares of large values would leave no digits for a small variance
  sumPixels<2>(pixels, C, sums, [&](int64_t p, int c, Vector(&s)[2]) {
    const Vector v = subtract(load(x + p * C + c), load(x + c));
    s[0] = add(s[0], v);
    s[1] = fma(v, v, s[1]);
  });
  float factor[MOST_CHANNELS], shift[MOST_CHANNELS];
  for (int c = 0; c < C; c++) {
    const double distance = sums[0][c] / pixels, m = x[c] + distance;
    const double squares = sums[1][c] / pixels - distance * distance, v = squares > 0 ? squares : 0;
    const double i = 1 / std::sqrt(v + 1e-5);
    mean[c] = (float)m;
    variance[c] = (float)(pixels > 1 ? v * pixels / (pixels - 1) : v);
    inverse[c] = (float)i;
    factor[c] = (float)(weight[c] * i);
    shift[c] = (float)(bias[c] - m * (weight[c] * i));
  }
  transform(x, factor, shift, slope, y, pixels, C);
}

/** On given statistics. */
INLINE void normaliseFixed(const float* x, const float* weight, const float* bias, const float* mean, const float* variance,
                           float slope, float* y, int64_t pixels, int C) {
  float factor[MOST_CHANNELS], shift[MOST_CHANNELS];
  for (int c = 0; c < C; c++) {
    const double f = weight[c] / std::sqrt(variance[c] + 1e-5);
    factor[c] = (float)f;
    shift[c] = (float)(bias[c] - mean[c] * f);
  }
  transform(x, factor, shift, slope, y, pixels, C);
}

/** Gradient through the activation, whose output y tells where it was steep. */
INLINE Vector throughActivation(Vector dy, Vector y, Vector slope) {
  return choose(isAbove(y, zero()), dy, fma(dy, slope, zero()));
}

/** Gradients through activation and BatchNorm: dy, y, x [pixels, C] -> dx, dWeight, dBias. */
INLINE void normaliseGradient(const float* dy, const float* y, const float* x, const float* weight, const float* mean,
                              const float* inverse, float slope, float* dx, float* dWeight, float* dBias, int64_t pixels, int C) {
  const Vector steep = splat(slope);
  double sums[2][MOST_CHANNELS];
  sumPixels<2>(pixels, C, sums, [&](int64_t p, int c, Vector(&s)[2]) {
    const int64_t at = p * C + c;
    const Vector d = throughActivation(load(dy + at), load(y + at), steep);
    s[0] = add(s[0], d);
    s[1] = fma(d, subtract(load(x + at), load(mean + c)), s[1]);
  });
  // dx = weight * inverse * (d - average d - (x - mean) * inverse^2 * average d (x - mean)) = d * a + x * b + c
  float a[MOST_CHANNELS], b[MOST_CHANNELS], shift[MOST_CHANNELS];
  for (int c = 0; c < C; c++) {
    const double i = inverse[c], factor = weight[c] * i, slope1 = sums[1][c] / pixels * i * i;
    dBias[c] = (float)sums[0][c];
    dWeight[c] = (float)(sums[1][c] * i);
    a[c] = (float)factor;
    b[c] = (float)(-factor * slope1);
    shift[c] = (float)(factor * (slope1 * mean[c] - sums[0][c] / pixels));
  }
  for (int c = 0; c < C; c += WIDTH) {
    const Vector va = load(a + c), vb = load(b + c), vc = load(shift + c);
    for (int64_t p = 0; p < pixels; p++) {
      const int64_t at = p * C + c;
      const Vector d = throughActivation(load(dy + at), load(y + at), steep);
      store(dx + at, fma(d, va, fma(load(x + at), vb, vc)));
    }
  }
}

/** y = activation(x + bias); y may be x. */
INLINE void addBias(const float* x, const float* bias, float slope, float* y, int64_t pixels, int C) {
  const Vector steep = splat(slope);
  if (C % 16 == 0) {
    for (int64_t p = 0; p < pixels; p++)
      for (int c = 0; c < C; c += WIDTH) store(y + p * C + c, activate(add(load(x + p * C + c), load(bias + c)), steep));
    return;
  }
  for (int64_t i = 0; i < pixels * C; i++) {
    const float v = x[i] + bias[i % C];
    y[i] = v > 0 ? v : __builtin_fmaf(v, slope, 0);
  }
}

/** Gradients through activation and bias: dy, y [pixels, C] -> dx, dBias; dx may be dy. */
INLINE void addBiasGradient(const float* dy, const float* y, float slope, float* dx, float* dBias, int64_t pixels, int C) {
  const Vector steep = splat(slope);
  double sums[1][MOST_CHANNELS];
  sumPixels<1>(pixels, C, sums, [&](int64_t p, int c, Vector(&s)[1]) {
    const int64_t at = p * C + c;
    const Vector d = throughActivation(load(dy + at), load(y + at), steep);
    store(dx + at, d);
    s[0] = add(s[0], d);
  });
  for (int c = 0; c < C; c++) dBias[c] = (float)sums[0][c];
}

/** Sum over pixels of one channel: what the bias of the logits gets. */
INLINE float sumAll(const float* x, int64_t size) {
  double sum = 0;
  for (int64_t i = 0; i < size; i++) sum += x[i];
  return (float)sum;
}
