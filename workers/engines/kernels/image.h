// The convolutions at the images, of CHANNELS 1 or 3: kernel 4, stride 2, S x S pixels to O x O of N channels.

/** Sizes at images of a side. */
template <int S, int CHANNELS>
struct Images {
  static constexpr int MARGIN = S == 28 ? 3 : 1, PADDED = S + 2 * MARGIN, O = (PADDED - 2) / 2;
  /** Floats of an image, of a row with its margins, and of the pixels that a row of a filter sees. */
  static constexpr int SIZE = S * S * CHANNELS, ROW = PADDED * CHANNELS, TAPS = 4 * CHANNELS;
};

/** Convolution: images [B, S, S, CHANNELS], filter [4, 4, CHANNELS, N] -> y [B, O, O, N]; slices of C vectors. */
template <int S, int CHANNELS, int C>
INLINE void convolveImages(const float* images, const float* filter, float* y, int N, int B, float* scratch) {
  using Of = Images<S, CHANNELS>;
  constexpr int M = 8, O = Of::O;
  for (int b = 0; b < B; b++) {
    addMargin<S, CHANNELS, Of::MARGIN>(images + (int64_t)b * Of::SIZE, scratch);
    for (int oy = 0; oy < O; oy++)
      for (int ox = 0; ox < O; ox += M)
        for (int n = 0; n < N; n += C * WIDTH) {
          Vector acc[M][C];
#pragma GCC unroll 8
          for (int m = 0; m < M; m++)
            for (int c = 0; c < C; c++) acc[m][c] = zero();
#pragma GCC unroll 4
          for (int ky = 0; ky < 4; ky++) {
            const float* row = scratch + (2 * oy + ky) * Of::ROW + 2 * ox * CHANNELS;
            multiplyAdd(acc, [=](int m) { return row + m * 2 * CHANNELS; }, filter + ky * Of::TAPS * N + n, Of::TAPS, N);
          }
          storeBlock(acc, y + (((int64_t)b * O + oy) * O + ox) * N + n, [=](int m) { return m * N; });
        }
  }
}

/** Transposed convolution: x [B, O, O, I], filter [4, 4, CHANNELS, I] -> images [B, S, S, CHANNELS]. */
template <int S, int CHANNELS>
INLINE void convolveToImages(const float* x, const float* filter, float* images, int I, int B, float* scratch) {
  using Of = Images<S, CHANNELS>;
  constexpr int O = Of::O, TAPS = 4 * Of::TAPS, C = TAPS / WIDTH, M = C == 3 ? 8 : C == 6 ? 2 : C > 8 ? 1 : 8 / C;
  constexpr int HALF = O / 2 * Of::TAPS; // the patches of a row's even or odd features, of one row of the filter
  float* packed = scratch;               // [I, 16 taps]
  float* patches = packed + I * TAPS;    // of a row of features: [kernel row, even and odd features, O / 2 features x a row of taps]
  float* sum = patches + 4 * 2 * HALF + 16; // the images with their margin
  for (int i = 0; i < I; i++)
    for (int tap = 0; tap < TAPS; tap++) packed[i * TAPS + tap] = filter[tap * I + i];
  for (int b = 0; b < B; b++) {
    memset(sum, 0, sizeof(float) * Of::PADDED * Of::ROW);
    for (int oy = 0; oy < O; oy++) {
      for (int ox = 0; ox < O; ox += M) {
        Vector acc[M][C];
#pragma GCC unroll 16
        for (int m = 0; m < M; m++)
          for (int c = 0; c < C; c++) acc[m][c] = zero();
        const float* features = x + (((int64_t)b * O + oy) * O + ox) * I;
        multiplyAdd(acc, [=](int m) { return features + m * I; }, packed, I, TAPS);
#pragma GCC unroll 16
        for (int m = 0; m < M; m++) {
          alignas(64) float taps[TAPS];
#pragma GCC unroll 16
          for (int c = 0; c < C; c++) store(taps + c * WIDTH, acc[m][c]);
          float* to = patches + (ox + m) % 2 * HALF + (ox + m) / 2 * Of::TAPS;
#pragma GCC unroll 4
          for (int ky = 0; ky < 4; ky++) memcpy(to + ky * 2 * HALF, taps + ky * Of::TAPS, Of::TAPS * sizeof(float));
        }
      }
      // The patches of even features do not overlap, nor do those of odd ones: whole rows are added.
      for (int ky = 0; ky < 4; ky++) {
        float* row = sum + (2 * oy + ky) * Of::ROW;
        for (int odd = 0; odd < 2; odd++)
#pragma GCC unroll 4
          for (int i = 0; i < HALF; i += WIDTH) {
            float* to = row + 2 * odd * CHANNELS + i;
            store(to, add(load(to), load(patches + (ky * 2 + odd) * HALF + i)));
          }
      }
    }
    for (int y = 0; y < S; y++)
      memcpy(images + (int64_t)b * Of::SIZE + y * S * CHANNELS, sum + (y + Of::MARGIN) * Of::ROW + Of::MARGIN * CHANNELS,
             sizeof(float) * S * CHANNELS);
  }
}

/** Gradient of the filter [4, 4, CHANNELS, N], from images and dy [B, O, O, N]: that of every image, added up in their order. */
template <int S, int CHANNELS>
INLINE void convolveImagesFilter(const float* images, const float* dy, float* dFilter, int N, int B, float* scratch) {
  using Of = Images<S, CHANNELS>;
  constexpr int O = Of::O, M = CHANNELS == 1 ? TAPS_TOGETHER : Of::TAPS;
  const auto from = [](int m) { return m / Of::TAPS * Of::ROW + m % Of::TAPS; };
  for (int b = 0; b < B; b++) {
    addMargin<S, CHANNELS, Of::MARGIN>(images + (int64_t)b * Of::SIZE, scratch);
    for (int tap = 0; tap < 4 * Of::TAPS; tap += M)
      for (int n = 0; n < N; n += WIDTH) {
        Vector acc[M];
#pragma GCC unroll 16
        for (int m = 0; m < M; m++) acc[m] = zero();
        for (int oy = 0; oy < O; oy++) {
          const float* a = scratch + (2 * oy + tap / Of::TAPS) * Of::ROW;
          const float* d = dy + ((int64_t)b * O + oy) * O * N + n;
#pragma GCC unroll 2
          for (int ox = 0; ox < O; ox++) {
            const Vector w = load(d + ox * N);
#pragma GCC unroll 16
            for (int m = 0; m < M; m++) acc[m] = fma(splat(a[2 * ox * CHANNELS + from(m)]), w, acc[m]);
          }
        }
#pragma GCC unroll 16
        for (int m = 0; m < M; m++) {
          float* to = dFilter + (tap + m) * N + n;
          store(to, b == 0 ? acc[m] : add(load(to), acc[m]));
        }
      }
  }
}
