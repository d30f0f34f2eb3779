// What both instruction sets share: a step of a plan.
#pragma once
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <tuple>
#include <type_traits>
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

constexpr size_t SCRATCH_FLOATS = 1 << 19;
/** Memory for the intermediate results of a kernel, SCRATCH_FLOATS a thread, on a boundary of 64 bytes. */
float* scratch();

/** `AdamFactors` of shared/update.ts. */
struct AdamFactors {
  double learningRate, beta1, beta2, epsilon, unbias1, unbias2, scale;
};

/** Which random numbers: the words of Philox's key and counter, but the block. */
struct NoiseStream {
  uint32_t key0, key1, stream, time, part;
};

/** One instruction set. */
struct Kernels {
  const char* name;
  Run (*find)(const std::string& name, const std::vector<int>& sizes);
  int64_t (*findOutside)(const float* values, int64_t size, double limit);
  void (*addRounded)(double* sum, const float* values, int64_t size);
  void (*setRounded)(double* sum, const float* values, int64_t size);
  double (*applyAdam)(const AdamFactors& factors, float* theta, float* m, float* v, const double* sum, int64_t size);
  void (*fillNormal)(const NoiseStream& stream, float* out, int64_t size);
  void (*toNormal)(const uint32_t* words, double* out, int64_t size);
};

extern const Kernels AVX512, AVX2;
