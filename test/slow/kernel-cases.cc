// Runs every kernel of one instruction set, SET, on the same numbers, and prints a hash of each result: arm64.test.ts compares the sets.
#include <cstdio>
#include "../../workers/engines/kernels/step.h"

float* scratch() {
  alignas(64) static float memory[SCRATCH_FLOATS];
  return memory;
}

namespace {

/** Numbers around 0, by a linear congruential generator; the same on every processor. */
std::vector<float> numbers(size_t count, bool isPositive = false) {
  static uint32_t state = 7;
  std::vector<float> values(count);
  for (float& value : values) {
    state = state * 1664525 + 1013904223;
    value = (float)(int32_t)(state & 0xffffff00) * 0x1p-30f;
    if (isPositive) value = std::fabs(value) + 0.1f;
  }
  return values;
}

/** FNV-1a. */
uint64_t hashOf(const void* data, size_t bytes, uint64_t hash = 0xcbf29ce484222325) {
  for (size_t i = 0; i < bytes; i++) hash = (hash ^ ((const uint8_t*)data)[i]) * 0x100000001b3;
  return hash;
}

/** @param reads lengths; below 0 of numbers above 0 */
void run(const char* name, const std::vector<int>& sizes, float value, const std::vector<int>& reads, const std::vector<int>& writes) {
  std::vector<std::vector<float>> arrays;
  for (const int length : reads) arrays.push_back(numbers(std::abs(length), length < 0));
  for (const int length : writes) arrays.emplace_back(length);
  Step step = {SET.find(name, sizes), {}, sizes, value};
  std::vector<float*> buffers;
  for (auto& array : arrays) step.buffers.push_back((int)buffers.size()), buffers.push_back(array.data());
  uint64_t hash = hashOf("", 0);
  if (step.run != nullptr) step.run(step, buffers.data());
  for (size_t i = reads.size(); i < arrays.size(); i++) hash = hashOf(arrays[i].data(), arrays[i].size() * sizeof(float), hash);
  printf("%s", name);
  for (const int size : sizes) printf(" %d", size);
  printf(" %s%016llx\n", step.run ? "" : "missing ", (unsigned long long)hash);
}

}  // namespace

int main() {
  const int B = 5, P = B * 64, C = 64;
  const int convolutions[][3] = {{16, 32, 64}, {8, 64, 128}, {28, 1, 32}, {16, 16, 32}, {8, 32, 64}, {28, 1, 16},
                                {28, 3, 16},  {32, 1, 64},  {64, 3, 64}, {32, 32, 48},  {8, 256, 512}, {8, 512, 64}};
  for (const auto& [S, I, N] : convolutions) {
    const int O = S == 28 ? 16 : S / 2, large = B * S * S * I, small = B * O * O * N, filter = 16 * I * N;
    const std::vector<int> sizes = {S, I, N, B};
    run("convolve", sizes, 0, {large, filter}, {small});
    run("convolveTransposed", sizes, 0, {small, filter}, {large});
    run("convolveFilter", sizes, 0, {large, small}, {filter});
  }
  run("normalise", {B, 1024}, 0.2f, {B * 1024, 1024, 1024}, {B * 1024, 1024, 1024, 1024});
  run("normalise", {P, C}, 0.2f, {P * C, C, C}, {P * C, C, C, C});
  run("normaliseFixed", {P, C}, 0.2f, {P * C, C, C, C, -C}, {P * C});
  run("normaliseGradient", {P, C}, 0.2f, {P * C, P * C, P * C, C, C, -C}, {P * C, C, C});
  run("addBias", {P, C}, 0.2f, {P * C, C}, {P * C});
  run("addBias", {P, 1}, 0.2f, {P, 1}, {P});
  run("addBiasGradient", {P, C}, 0.2f, {P * C, P * C}, {P * C, C});
  run("sumAll", {1001}, 0, {1001}, {1});
  run("multiply", {B, 128, 2048}, 0, {B * 128, 128 * 2048}, {B * 2048});
  run("multiply", {B, 2045, 1}, 0, {B * 2045, 2045}, {B});
  run("multiplyTransposedA", {128, B, 2048}, 0, {B * 128, B * 2048}, {128 * 2048});
  run("multiplyTransposedA", {2045, B, 1}, 0, {B * 2045, B}, {2045});
  run("multiplyTransposedB", {B, 1, 2045}, 0, {B, 2045}, {B * 2045});
  run("tanh", {10003}, 0, {10003}, {10003});
  run("sigmoid", {10003}, 0, {10003}, {10003});
  run("tanhGradient", {5003}, 0, {5003, 5003}, {5003});
  run("activate", {5003}, 0.2f, {5003}, {5003});
  run("activateGradient", {5003}, 0.2f, {5003, 5003}, {5003});
  run("add", {5003}, 0, {5003, 5003}, {5003});
  run("addScalar", {5003}, -0.3f, {5003}, {5003});
  run("multiplyScalar", {5003}, 0.7f, {5003}, {5003});
  run("copy", {777}, 0, {777}, {777});

  std::vector<float> noise(10007);
  SET.fillNormal({123456789, 987654321, 2, 77, 3}, noise.data(), noise.size());
  printf("fillNormal %016llx\n", (unsigned long long)hashOf(noise.data(), noise.size() * sizeof(float)));
  const int64_t size = 5003, longer = size + 257;
  auto theta = numbers(size), m = numbers(size), v = numbers(size, true);
  const auto first = numbers(longer), second = numbers(longer);
  const float* const arrays[] = {first.data(), second.data()};
  std::vector<double> sum(longer);
  SET.addRounded(sum.data(), longer, {arrays, 2, true});
  const AdamFactors factors = {2e-4, 0.5, 0.999, 1e-8, 1.33, 17.7, 1.0 / 32};
  const double norm = SET.applyAdam(factors, {theta.data(), m.data(), v.data(), size}, sum.data(), longer, {arrays, 2, false});
  uint64_t hash = hashOf(&norm, sizeof norm);
  for (const auto* values : {&theta, &m, &v}) hash = hashOf(values->data(), size * sizeof(float), hash);
  printf("applyAdam %016llx\n", (unsigned long long)hashOf(sum.data(), longer * sizeof(double), hash));
  printf("findOutside %lld\n", (long long)SET.findOutside(noise.data(), noise.size(), 3.5));
}
