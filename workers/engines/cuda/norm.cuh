// BatchNorm with the activation after it, forward and backward, and biases, with the sums of workers/engines/kernels/norm.h: float32 over
// chunks of 64 pixels, float64 over 16 of these, and over those. Each shard of a launch has sums of its own.
#pragma once
#include "device.h"

constexpr int CHUNK = 64, CHUNKS = 16, SUM_PIXELS = CHUNK * CHUNKS, SUM_THREADS = 1024;

/** Most channels of a layer. */
constexpr int MOST_CHANNELS = 1024;

/**
 * sums [shard, block of 16 chunks, KINDS, C]; blocks of 16 chunks (x), W channels (y) and a shard (z). A thread has every fourth pixel of a
 * chunk: load(place) gives what it needs of one, add(place, c, loaded, sums) adds that.
 */
template <int KINDS, int W, class Load, class Add>
DEVICE void sumPixels(int C, double* sums, int pixels, Load load, Add add) {
  constexpr int EACH = CHUNK / 4;
  SHARED float parts[4 * CHUNKS][KINDS][W], chunks[CHUNKS][KINDS][W];
  const int column = TID % W, c = BLOCK_Y * W + column;
  const i64 origin = (i64)BLOCK_Z * pixels * C + c;
  for (int part = TID / W; part < 4 * CHUNKS; part += THREADS / W) {
    const int j = part % 4, first = (BLOCK * CHUNKS + part / 4) * CHUNK, count = pixels - first < CHUNK ? pixels - first : CHUNK;
    float partial[KINDS];
    UNROLL for (int k = 0; k < KINDS; k++) partial[k] = 0;
    if (count == CHUNK) {
      decltype(load(i64())) loaded[EACH];
      UNROLL for (int i = 0; i < EACH; i++) loaded[i] = load(origin + (i64)(first + j + 4 * i) * C);
      UNROLL for (int i = 0; i < EACH; i++) add(origin + (i64)(first + j + 4 * i) * C, c, loaded[i], partial);
    } else {
      const auto one = [&](int p) {
        const i64 at = origin + (i64)(first + p) * C;
        add(at, c, load(at), partial);
      };
      for (int p = j; p < count / 4 * 4; p += 4) one(p);
      if (j == 0)
        for (int p = count / 4 * 4; p < count; p++) one(p);
    }
    UNROLL for (int k = 0; k < KINDS; k++) parts[part][k][column] = partial[k];
  }
  barrier();
  for (int at = TID; at < CHUNKS * KINDS * W; at += THREADS) {
    const int n = at % W, k = at / W % KINDS, chunk = at / (KINDS * W);
    chunks[chunk][k][n] = fAdd(fAdd(parts[4 * chunk][k][n], parts[4 * chunk + 1][k][n]), fAdd(parts[4 * chunk + 2][k][n], parts[4 * chunk + 3][k][n]));
  }
  barrier();
  if (TID >= KINDS * W) return;
  const int k = TID / W, left = (pixels + CHUNK - 1) / CHUNK - BLOCK * CHUNKS, count = left < CHUNKS ? left : CHUNKS;
  double sum = 0;
  for (int chunk = 0; chunk < count; chunk++) sum = dAdd(sum, widen(chunks[chunk][k][column]));
  sums[(((i64)BLOCK_Z * GRID + BLOCK) * KINDS + k) * C + c] = sum;
}

/** Sum `place` of a shard of `pixels`, of `width` a block of 16 chunks. */
DEVICE double sumBlocks(const double* sums, int shard, int place, int width, int pixels) {
  const int blocks = (pixels + SUM_PIXELS - 1) / SUM_PIXELS;
  const double* own = sums + (i64)shard * blocks * width + place;
  double sum = 0;
  UNROLL_16 for (int block = 0; block < blocks; block++) sum = dAdd(sum, own[(i64)block * width]);
  return sum;
}

/** f(place, channel) for every fourth value of the shard of this block (y). */
template <class F>
DEVICE void eachFour(int C, int pixels, F f) {
  const i64 size = (i64)pixels * C;
  for (i64 at = placeInGrid() * 4; at < size; at += (i64)GRID * THREADS * 4) f(BLOCK_Y * size + at, (int)(at % C));
}

template <int W>
DEVICE void normaliseSumsOf(int C, const float* x, double* sums, int pixels) {
  const float origin = x[(i64)BLOCK_Z * pixels * C + BLOCK_Y * W + TID % W];
  sumPixels<2, W>(C, sums, pixels, [&](i64 at) { return x[at]; }, [&](i64, int, float value, float* partial) {
    const float v = fSub(value, origin);
    partial[0] = fAdd(partial[0], v), partial[1] = fFma(v, v, partial[1]);
  });
}

/** Every block adds up the sums by itself, then transforms its pixels; block 0 of a shard writes its statistics [shard, C]. */
template <int MOST>
DEVICE void normaliseOf(int C, const float* x, const double* blocks, const float* weight, const float* bias, float slope, float* y, float* mean,
                        float* variance, float* inverse, int pixels) {
  SHARED float factor[MOST], shift[MOST];
  SHARED double sums[2 * MOST];
  for (int s = TID; s < 2 * C; s += THREADS) sums[s] = sumBlocks(blocks, BLOCK_Y, s, 2 * C, pixels);
  barrier();
  for (int c = TID; c < C; c += THREADS) {
    const double count = pixels, distance = dDiv(sums[c], count), m = dAdd(widen(x[(i64)BLOCK_Y * pixels * C + c]), distance);
    const double squares = dSub(dDiv(sums[C + c], count), dMul(distance, distance)), v = squares > 0 ? squares : 0;
    const double i = dDiv(1, dSqrt(dAdd(v, 1e-5))), f = dMul(widen(weight[c]), i);
    factor[c] = narrow(f);
    shift[c] = narrow(dSub(widen(bias[c]), dMul(m, f)));
    if (BLOCK > 0) continue;
    const int at = BLOCK_Y * C + c;
    mean[at] = narrow(m);
    variance[at] = narrow(pixels > 1 ? dDiv(dMul(v, count), (double)(pixels - 1)) : v);
    inverse[at] = narrow(i);
  }
  barrier();
  eachFour(C, pixels, [&](i64 at, int c) {
    Four values = load4(x + at);
    UNROLL for (int j = 0; j < 4; j++) values.v[j] = activate(fFma(values.v[j], factor[c + j], shift[c + j]), slope);
    store4(y + at, values);
  });
}

struct Gradient {
  float d, x;
};

template <int W>
DEVICE void gradientSumsOf(int C, const float* dy, const float* y, const float* x, const float* mean, float slope, double* sums, int pixels) {
  const float centre = mean[BLOCK_Z * C + BLOCK_Y * W + TID % W];
  sumPixels<2, W>(C, sums, pixels, [&](i64 at) { return Gradient{throughActivation(dy[at], y[at], slope), x[at]}; },
                  [&](i64, int, const Gradient& at, float* partial) {
                    partial[0] = fAdd(partial[0], at.d), partial[1] = fFma(at.d, fSub(at.x, centre), partial[1]);
                  });
}

template <int MOST>
DEVICE void normaliseGradientOf(int C, const float* dy, const float* y, const float* x, const double* blocks, const float* weight, const float* mean,
                                const float* inverse, float slope, float* dx, float* dWeight, float* dBias, int pixels) {
  SHARED float a[MOST], b[MOST], shift[MOST];
  SHARED double sums[2 * MOST];
  for (int s = TID; s < 2 * C; s += THREADS) sums[s] = sumBlocks(blocks, BLOCK_Y, s, 2 * C, pixels);
  barrier();
  for (int c = TID; c < C; c += THREADS) {
    const int at = BLOCK_Y * C + c;
    const double count = pixels, i = widen(inverse[at]), factor = dMul(widen(weight[c]), i);
    const double steep = dMul(dMul(dDiv(sums[C + c], count), i), i);
    a[c] = narrow(factor);
    b[c] = narrow(dMul(-factor, steep));
    shift[c] = narrow(dMul(factor, dSub(dMul(steep, widen(mean[at])), dDiv(sums[c], count))));
    if (BLOCK > 0) continue;
    dBias[at] = narrow(sums[c]);
    dWeight[at] = narrow(dMul(sums[C + c], i));
  }
  barrier();
  eachFour(C, pixels, [&](i64 at, int c) {
    const Four outer = load4(dy + at), output = load4(y + at), input = load4(x + at);
    Four values;
    UNROLL for (int j = 0; j < 4; j++)
      values.v[j] = fFma(throughActivation(outer.v[j], output.v[j], slope), a[c + j], fFma(input.v[j], b[c + j], shift[c + j]));
    store4(dx + at, values);
  });
}

/** On given statistics. */
DEVICE void normaliseFixedOf(int C, const float* x, const float* weight, const float* bias, const float* mean, const float* variance, float slope,
                             float* y, int pixels) {
  for (i64 at = placeInGrid(); at < (i64)pixels * C; at += (i64)GRID * THREADS) {
    const int c = at % C;
    const double f = dDiv(widen(weight[c]), dSqrt(dAdd(widen(variance[c]), 1e-5)));
    y[at] = activate(fFma(x[at], narrow(f), narrow(dSub(widen(bias[c]), dMul(widen(mean[c]), f)))), slope);
  }
}

/** dx and the sums of the bias's gradient. */
template <int W>
DEVICE void biasSumsOf(int C, const float* dy, const float* y, float slope, float* dx, double* sums, int pixels) {
  sumPixels<1, W>(C, sums, pixels, [&](i64 at) { return throughActivation(dy[at], y[at], slope); },
                  [&](i64 at, int, float d, float* partial) { dx[at] = d, partial[0] = fAdd(partial[0], d); });
}

/** sums -> the bias's gradient [shard, C]; a block a shard. */
KERNEL(biasGradient, 256, const double* sums, float* dBias, int pixels, int C) {
  for (int c = TID; c < C; c += THREADS) dBias[BLOCK * C + c] = narrow(sumBlocks(sums, BLOCK, c, C, pixels));
}

// Of C channels, at most MOST, of which a block adds up W; what follows are more arguments.
#define NORM(SUFFIX, C, MOST, W, ...)                                                                                              \
  BLOCK_KERNEL(normaliseSums_##SUFFIX, SUM_THREADS, const float* x, double* sums, int pixels __VA_ARGS__) {                         \
    normaliseSumsOf<W>(C, x, sums, pixels);                                                                                         \
  }                                                                                                                                 \
  BLOCK_KERNEL(normalise_##SUFFIX, 256, const float* x, const double* sums, const float* weight, const float* bias, float slope,    \
               float* y, float* mean, float* variance, float* inverse, int pixels __VA_ARGS__) {                                    \
    normaliseOf<MOST>(C, x, sums, weight, bias, slope, y, mean, variance, inverse, pixels);                                         \
  }                                                                                                                                 \
  BLOCK_KERNEL(gradientSums_##SUFFIX, SUM_THREADS, const float* dy, const float* y, const float* x, const float* mean, float slope, \
               double* sums, int pixels __VA_ARGS__) {                                                                              \
    gradientSumsOf<W>(C, dy, y, x, mean, slope, sums, pixels);                                                                      \
  }                                                                                                                                 \
  BLOCK_KERNEL(normaliseGradient_##SUFFIX, 256, const float* dy, const float* y, const float* x, const double* sums,                \
               const float* weight, const float* mean, const float* inverse, float slope, float* dx, float* dWeight, float* dBias,  \
               int pixels __VA_ARGS__) {                                                                                            \
    normaliseGradientOf<MOST>(C, dy, y, x, sums, weight, mean, inverse, slope, dx, dWeight, dBias, pixels);                         \
  }                                                                                                                                 \
  KERNEL(normaliseFixed_##SUFFIX, 256, const float* x, const float* weight, const float* bias, const float* mean,                   \
         const float* variance, float slope, float* y, int pixels __VA_ARGS__) {                                                    \
    normaliseFixedOf(C, x, weight, bias, mean, variance, slope, y, pixels);                                                         \
  }                                                                                                                                 \
  BLOCK_KERNEL(biasSums_##SUFFIX, SUM_THREADS, const float* dy, const float* y, float slope, float* dx, double* sums,               \
               int pixels __VA_ARGS__) {                                                                                            \
    biasSumsOf<W>(C, dy, y, slope, dx, sums, pixels);                                                                               \
  }
NORM(16, 16, 16, 16)
NORM(32, 32, 32, 32)
NORM(64, 64, 64, 32)
NORM(128, 128, 128, 32)
// Of any number of channels, which is the last argument: multiples of 16, or of 32.
#define CHANNELS , int C
NORM(any_16, C, MOST_CHANNELS, 16, CHANNELS)
NORM(any_32, C, MOST_CHANNELS, 32, CHANNELS)
#undef CHANNELS
