// The convolutions at the images, which have one channel: kernel 4, stride 2, margin 3, 28 x 28 pixels to 16 x 16 of N channels.

constexpr int IMAGE_SIDE = 28, IMAGE_MARGIN = 3, IMAGE_PADDED = 34, FEATURE_SIDE = 16;

/** Convolution: images [B, 28, 28, 1], filter [4, 4, 1, N] -> y [B, 16, 16, N]. */
template <int N>
void convolveImages(const float* images, const float* filter, float* y, int B, float* scratch) {
  constexpr int M = 8, C = COLUMNS<N>;
  const auto to = [](int m) { return m * N; };
  const auto from = [](int m) { return m * 2; };
  for (int b = 0; b < B; b++) {
    addMargin<IMAGE_SIDE, 1, IMAGE_MARGIN>(images + b * IMAGE_SIDE * IMAGE_SIDE, scratch);
    for (int oy = 0; oy < FEATURE_SIDE; oy++)
      for (int ox = 0; ox < FEATURE_SIDE; ox += M)
        for (int n = 0; n < N; n += C * WIDTH) {
          Vector acc[M][C];
#pragma GCC unroll 8
          for (int m = 0; m < M; m++)
            for (int c = 0; c < C; c++) acc[m][c] = zero();
#pragma GCC unroll 4
          for (int ky = 0; ky < 4; ky++)
            multiplyAdd<N>(acc, scratch + (2 * oy + ky) * IMAGE_PADDED + 2 * ox, from, filter + ky * 4 * N + n, 4);
          storeBlock(acc, y + (((int64_t)b * FEATURE_SIDE + oy) * FEATURE_SIDE + ox) * N + n, to);
        }
  }
}

/** Transposed convolution: x [B, 16, 16, I], filter [4, 4, 1, I] -> images [B, 28, 28, 1]. */
template <int I>
void convolveToImages(const float* x, const float* filter, float* images, int B, float* scratch) {
  constexpr int TAPS = 16, C = TAPS / WIDTH, M = 16 / C / 2;
  float* packed = scratch;                // [I, 16 taps]
  float* patches = packed + I * TAPS;     // of a row of features: [kernel row, even and odd features, 8 features x 4]
  float* sum = patches + 4 * 2 * 32 + 16; // the images with their margin
  for (int i = 0; i < I; i++)
    for (int tap = 0; tap < TAPS; tap++) packed[i * TAPS + tap] = filter[tap * I + i];
  const auto from = [](int m) { return m * I; };
  for (int b = 0; b < B; b++) {
    memset(sum, 0, sizeof(float) * IMAGE_PADDED * IMAGE_PADDED);
    for (int oy = 0; oy < FEATURE_SIDE; oy++) {
      for (int ox = 0; ox < FEATURE_SIDE; ox += M) {
        Vector acc[M][C];
#pragma GCC unroll 16
        for (int m = 0; m < M; m++)
          for (int c = 0; c < C; c++) acc[m][c] = zero();
        multiplyAdd<TAPS>(acc, x + (((int64_t)b * FEATURE_SIDE + oy) * FEATURE_SIDE + ox) * I, from, packed, I);
#pragma GCC unroll 16
        for (int m = 0; m < M; m++) {
          alignas(64) float taps[TAPS];
#pragma GCC unroll 2
          for (int c = 0; c < C; c++) store(taps + c * WIDTH, acc[m][c]);
          float* to = patches + (ox + m) % 2 * 32 + (ox + m) / 2 * 4;
#pragma GCC unroll 4
          for (int ky = 0; ky < 4; ky++) memcpy(to + ky * 64, taps + ky * 4, 4 * sizeof(float));
        }
      }
      // The patches of even features do not overlap, nor do those of odd ones: whole rows are added.
      for (int ky = 0; ky < 4; ky++) {
        float* row = sum + (2 * oy + ky) * IMAGE_PADDED;
        for (int odd = 0; odd < 2; odd++)
#pragma GCC unroll 4
          for (int i = 0; i < 32; i += WIDTH)
            store(row + 2 * odd + i, add(load(row + 2 * odd + i), load(patches + ky * 64 + odd * 32 + i)));
      }
    }
    for (int y = 0; y < IMAGE_SIDE; y++)
      memcpy(images + (b * IMAGE_SIDE + y) * IMAGE_SIDE, sum + (y + IMAGE_MARGIN) * IMAGE_PADDED + IMAGE_MARGIN,
             sizeof(float) * IMAGE_SIDE);
  }
}

/** Gradient of the filter [4, 4, 1, N], from images [B, 28, 28, 1] and dy [B, 16, 16, N]: that of every image, added up in their order. */
template <int N>
void convolveImagesFilter(const float* images, const float* dy, float* dFilter, int B, float* scratch) {
  constexpr int M = TAPS_TOGETHER;
  const auto from = [](int m) { return m / 4 * IMAGE_PADDED + m % 4; };
  for (int b = 0; b < B; b++) {
    addMargin<IMAGE_SIDE, 1, IMAGE_MARGIN>(images + b * IMAGE_SIDE * IMAGE_SIDE, scratch);
    for (int tap = 0; tap < 16; tap += M)
      for (int n = 0; n < N; n += WIDTH) {
        Vector acc[M];
#pragma GCC unroll 16
        for (int m = 0; m < M; m++) acc[m] = zero();
        for (int oy = 0; oy < FEATURE_SIDE; oy++) {
          const float* a = scratch + (2 * oy + tap / 4) * IMAGE_PADDED;
          const float* d = dy + ((int64_t)b * FEATURE_SIDE + oy) * FEATURE_SIDE * N + n;
#pragma GCC unroll 2
          for (int ox = 0; ox < FEATURE_SIDE; ox++) {
            const Vector w = load(d + ox * N);
#pragma GCC unroll 16
            for (int m = 0; m < M; m++) acc[m] = fma(splat(a[2 * ox + from(m)]), w, acc[m]);
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
