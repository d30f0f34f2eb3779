// The kernels by name: what a step of a plan may be, and those that are called by themselves. Included once for each instruction set, behind
// its vectors. No kernel adds up in an order that depends on the width of a vector, so that all sets give the same bits.

#include "convolution.h"
#include "image.h"
#include "map.h"
#include "noise.h"
#include "norm.h"
#include "patches.h"
#include "pointwise.h"
#include "product.h"
#include "update.h"
#include "winograd.h"

/** Slices of two vectors of channels, where there are whole ones, else of one: with one, a block has twice the pixels. */
template <class Of>
INLINE void inSlices(int channels, Of of) {
  if (channels % (2 * WIDTH) == 0) of(std::integral_constant<int, 2>());
  else of(std::integral_constant<int, 1>());
}

/** A convolution between features of S x S x I (the larger images) and S/2 x S/2 x N; of SIDE the compiler knows all, of 0 it is any. */
template <int SIDE, int INNER, int OUTER>
Run findConvolution(const std::string& name) {
  if (name == "convolve")
    return [](const Step& s, float* const* at) {
      const int S = SIDE ? SIDE : s.sizes[0], I = SIDE ? INNER : s.sizes[1], N = SIDE ? OUTER : s.sizes[2];
      inSlices(N, [&](auto c) {
        convolve<decltype(c)::value>(S, I, N, at[s.in(0)], at[s.in(1)], at[s.in(2)], s.sizes[3], scratch());
      });
    };
  if (name == "convolveTransposed")
    return [](const Step& s, float* const* at) {
      const int S = SIDE ? SIDE : s.sizes[0], I = SIDE ? INNER : s.sizes[1], N = SIDE ? OUTER : s.sizes[2];
      inSlices(I, [&](auto c) {
        convolveTransposed<decltype(c)::value>(S / 2, N, I, at[s.in(0)], at[s.in(1)], at[s.in(2)], s.sizes[3], scratch());
      });
    };
  if (name == "convolveFilter")
    return [](const Step& s, float* const* at) {
      const int S = SIDE ? SIDE : s.sizes[0], I = SIDE ? INNER : s.sizes[1], N = SIDE ? OUTER : s.sizes[2];
      inSlices(N, [&](auto c) {
        convolveFilter<decltype(c)::value>(S, I, N, at[s.in(0)], at[s.in(1)], at[s.in(2)], s.sizes[3], scratch());
      });
    };
  return nullptr;
}

/** A convolution between images and features of N channels. */
template <int S, int CHANNELS>
Run findImageConvolution(const std::string& name) {
  if (name == "convolve")
    return [](const Step& s, float* const* at) {
      inSlices(s.sizes[2], [&](auto c) {
        convolveImages<S, CHANNELS, decltype(c)::value>(at[s.in(0)], at[s.in(1)], at[s.in(2)], s.sizes[2], s.sizes[3], scratch());
      });
    };
  if (name == "convolveTransposed")
    return [](const Step& s, float* const* at) {
      convolveToImages<S, CHANNELS>(at[s.in(0)], at[s.in(1)], at[s.in(2)], s.sizes[2], s.sizes[3], scratch());
    };
  if (name == "convolveFilter")
    return [](const Step& s, float* const* at) {
      convolveImagesFilter<S, CHANNELS>(at[s.in(0)], at[s.in(1)], at[s.in(2)], s.sizes[2], s.sizes[3], scratch());
    };
  return nullptr;
}

template <int CHANNELS>
Run findImageConvolution(const std::string& name, int side) {
  if (side == 28) return findImageConvolution<28, CHANNELS>(name);
  if (side == 32) return findImageConvolution<32, CHANNELS>(name);
  return side == 64 ? findImageConvolution<64, CHANNELS>(name) : nullptr;
}

/** Whole vectors of the widest set, so that all sets have the same kernels. */
bool isWide(int channels) { return channels > 0 && channels % 16 == 0 && channels <= MOST_CHANNELS; }

/** @param sizes S, I, N, B of the convolution that it is or belongs to; S is the side of the larger images */
Run findConvolutionKernel(const std::string& name, const std::vector<int>& sizes) {
  if (sizes.size() != 4) return nullptr;
  const int S = sizes[0], I = sizes[1], N = sizes[2];
  if (!isWide(N)) return nullptr;
  if (I == 1) return findImageConvolution<1>(name, S);
  if (I == 3) return findImageConvolution<3>(name, S);
  if (!isWide(I) || (S != 8 && S != 16 && S != 32)) return nullptr;
  const auto is = [&](int s, int i, int n) { return S == s && I == i && N == n; };
  // The seed's model, which is small: what the compiler knows of it saves up to a half.
  if (is(16, 16, 32)) return findConvolution<16, 16, 32>(name);
  if (is(16, 32, 64)) return findConvolution<16, 32, 64>(name);
  if (is(8, 32, 64)) return findConvolution<8, 32, 64>(name);
  if (is(8, 64, 128)) return findConvolution<8, 64, 128>(name);
  return findConvolution<0, 0, 0>(name);
}

/** The kernel of a name for these sizes; null when there is none. */
Run findKernel(const std::string& name, const std::vector<int>& sizes) {
  if (name.rfind("convolve", 0) == 0) return findConvolutionKernel(name, sizes);
  const auto size = [&](size_t i) { return i < sizes.size() ? sizes[i] : 0; };
  const bool hasWide = isWide(size(1)); // of the kernels on [pixels, channels]
  if (name == "normalise" && hasWide)
    return [](const Step& s, float* const* at) {
      normalise(at[s.in(0)], at[s.in(1)], at[s.in(2)], s.value, at[s.in(3)], at[s.in(4)], at[s.in(5)], at[s.in(6)], s.sizes[0], s.sizes[1]);
    };
  if (name == "normaliseFixed" && hasWide)
    return [](const Step& s, float* const* at) {
      normaliseFixed(at[s.in(0)], at[s.in(1)], at[s.in(2)], at[s.in(3)], at[s.in(4)], s.value, at[s.in(5)], s.sizes[0], s.sizes[1]);
    };
  if (name == "normaliseGradient" && hasWide)
    return [](const Step& s, float* const* at) {
      normaliseGradient(at[s.in(0)], at[s.in(1)], at[s.in(2)], at[s.in(3)], at[s.in(4)], at[s.in(5)], s.value, at[s.in(6)], at[s.in(7)],
                        at[s.in(8)], s.sizes[0], s.sizes[1]);
    };
  if (name == "addBias")
    return [](const Step& s, float* const* at) {
      addBias(at[s.in(0)], at[s.in(1)], s.value, at[s.in(2)], s.sizes[0], s.sizes[1]);
    };
  if (name == "addBiasGradient" && hasWide)
    return [](const Step& s, float* const* at) {
      addBiasGradient(at[s.in(0)], at[s.in(1)], s.value, at[s.in(2)], at[s.in(3)], s.sizes[0], s.sizes[1]);
    };
  if (name == "sumAll")
    return [](const Step& s, float* const* at) { *at[s.in(1)] = sumAll(at[s.in(0)], s.sizes[0]); };
  // Products: sizes are M, K, N.
  // The same for all sets.
  const bool fitsScratch = static_cast<size_t>(size(1)) <= SCRATCH_FLOATS / 32;
  if (name == "multiply" && fitsScratch && size(2) % 32 == 0)
    return [](const Step& s, float* const* at) {
      const int M = s.sizes[0], K = s.sizes[1], N = s.sizes[2];
      multiplyMatrices(at[s.in(0)], K, 1, at[s.in(1)], at[s.in(2)], M, K, N, scratch());
    };
  if (name == "multiply" && size(2) == 1)
    return [](const Step& s, float* const* at) { multiplyVector(at[s.in(0)], at[s.in(1)], at[s.in(2)], s.sizes[0], s.sizes[1]); };
  if (name == "multiplyTransposedA" && fitsScratch && size(2) % 32 == 0)
    return [](const Step& s, float* const* at) {
      const int M = s.sizes[0], K = s.sizes[1], N = s.sizes[2];
      multiplyMatrices(at[s.in(0)], 1, M, at[s.in(1)], at[s.in(2)], M, K, N, scratch());
    };
  if (name == "multiplyTransposedA" && size(2) == 1)
    return [](const Step& s, float* const* at) { sumRows(at[s.in(0)], at[s.in(1)], at[s.in(2)], s.sizes[1], s.sizes[0]); };
  if (name == "multiplyTransposedB" && size(1) == 1)
    return [](const Step& s, float* const* at) { multiplyOuter(at[s.in(0)], at[s.in(1)], at[s.in(2)], s.sizes[0], s.sizes[2]); };
  // Functions of single values; what they take beside them is the step's value.
  if (name == "tanh")
    return [](const Step& s, float* const* at) { map(s.sizes[0], at[s.in(1)], hyperbolicTangent, (const float*)at[s.in(0)]); };
  if (name == "sigmoid")
    return [](const Step& s, float* const* at) { map(s.sizes[0], at[s.in(1)], sigmoid, (const float*)at[s.in(0)]); };
  if (name == "tanhGradient")
    return [](const Step& s, float* const* at) {
      const auto f = [](Vector y, Vector dy) { return multiply(dy, fma(subtract(zero(), y), y, splat(1))); };
      map(s.sizes[0], at[s.in(2)], f, (const float*)at[s.in(0)], (const float*)at[s.in(1)]);
    };
  if (name == "activate")
    return [](const Step& s, float* const* at) {
      const Vector slope = splat(s.value);
      map(s.sizes[0], at[s.in(1)], [=](Vector x) { return activate(x, slope); }, (const float*)at[s.in(0)]);
    };
  if (name == "activateGradient")
    return [](const Step& s, float* const* at) {
      const Vector slope = splat(s.value);
      const auto f = [=](Vector dy, Vector y) { return throughActivation(dy, y, slope); };
      map(s.sizes[0], at[s.in(2)], f, (const float*)at[s.in(0)], (const float*)at[s.in(1)]);
    };
  if (name == "add")
    return [](const Step& s, float* const* at) {
      map(s.sizes[0], at[s.in(2)], [](Vector a, Vector b) { return add(a, b); }, (const float*)at[s.in(0)], (const float*)at[s.in(1)]);
    };
  if (name == "addScalar")
    return [](const Step& s, float* const* at) {
      const Vector b = splat(s.value);
      map(s.sizes[0], at[s.in(1)], [=](Vector a) { return add(a, b); }, (const float*)at[s.in(0)]);
    };
  if (name == "multiplyScalar")
    return [](const Step& s, float* const* at) {
      const Vector b = splat(s.value);
      map(s.sizes[0], at[s.in(1)], [=](Vector a) { return multiply(a, b); }, (const float*)at[s.in(0)]);
    };
  if (name == "copy")
    return [](const Step& s, float* const* at) { memcpy(at[s.in(1)], at[s.in(0)], sizeof(float) * s.sizes[0]); };
  return nullptr;
}

/** Index of the first value that is not finite or not below the limit in magnitude; -1 when there is none. */
int64_t findOutside(const float* values, int64_t size, double limit) {
  const Vector most = splat((float)limit); // as near as float32 has it; what does not pass is compared again
  int64_t i = 0;
  for (; i + WIDTH <= size && all(isBelow(magnitude(load(values + i)), most)); i += WIDTH) {
  }
  for (; i < size; i++)
    if (!(std::fabs(values[i]) < limit)) return i;
  return -1;
}
