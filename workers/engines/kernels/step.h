// What all instruction sets share: a step of a plan.
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

struct Step;
/** Runs a step; `buffers` has the address of every buffer of the plan. */
using Run = void (*)(const Step& step, float* const* buffers);

struct Step {
  Run run;
  /** Numbers of the buffers that it reads and writes, in the kernel's order. */
  std::vector<int> buffers;
  std::vector<int> sizes;
  float value;
  int in(int i) const { return buffers[i]; }
};

constexpr size_t SCRATCH_FLOATS = 1 << 22;
/** Memory for the intermediate results of a kernel, SCRATCH_FLOATS a thread, on a boundary of 64 bytes. */
float* scratch();

/** `AdamFactors` of shared/update.ts. */
struct AdamFactors {
  double learningRate, beta1, beta2, epsilon, unbias1, unbias2, scale;
};

/** What a step of Adam changes, of `size` numbers each. */
struct AdamArrays {
  float *theta, *m, *v;
  int64_t size;
};

/** What is added to an exact sum: `count` arrays, onto what there is or, first of all, onto zeros. */
struct Summands {
  const float* const* arrays;
  size_t count;
  bool isFirst;
};

/** Which random numbers: the words of Philox's key and counter, but the block. */
struct NoiseStream {
  uint32_t key0, key1, stream, time, part;
};

/** A layer of the judge: `LayerShape` of workers/judge/patches.ts. */
struct PatchShape {
  int side, channels, kernel, margin, outSide, outputs, isRectified;
  int patch() const { return kernel * kernel * channels; }
};
/** Most values of a patch. */
constexpr int MOST_PATCH = 512;

/** One instruction set. */
struct Kernels {
  const char* name;
  Run (*find)(const std::string& name, const std::vector<int>& sizes);
  int64_t (*findOutside)(const float* values, int64_t size, double limit);
  void (*addRounded)(double* sum, int64_t size, const Summands& summands);
  double (*applyAdam)(const AdamFactors& factors, const AdamArrays& arrays, double* sum, int64_t size, const Summands& summands);
  void (*moveAverage)(float* average, const float* values, int64_t size, double keep);
  void (*fillNormal)(const NoiseStream& stream, float* out, int64_t size);
  void (*toNormal)(const uint32_t* words, double* out, int64_t size);
  void (*convolvePatches)(const PatchShape& shape, const double* weights, const double* bias, const double* values, double* out);
};

#ifdef __aarch64__
extern const Kernels NEON;
#else
extern const Kernels AVX512, AVX2;
#endif

/** Numbers of float64, or integers of 64 bits, that every set takes together. */
constexpr int LANES = 8;

#define INLINE static inline __attribute__((always_inline))
