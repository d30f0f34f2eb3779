// The kernels in WebAssembly, and the C functions that binding.ts calls. An address is an offset in the module's memory.
#include "../kernels/step.h"
#include <wasm_simd128.h>
namespace wasm {
namespace {
#include "wasm.h"
#include "../kernels/kernels.h"
}
}

#define EXPORT(NAME) extern "C" __attribute__((export_name(#NAME)))

float* scratch() {
  alignas(64) static float memory[SCRATCH_FLOATS];
  return memory;
}

/** Memory of some bytes on a boundary of a cache line; 0 where there is none. */
EXPORT(allocate) void* allocate(size_t bytes) { return aligned_alloc(64, (bytes + 63) / 64 * 64); }
EXPORT(release) void release(void* memory) { free(memory); }

/** A step; 0 where there is no such kernel. `name` ends in 0. It is never given back: plans live as long as the module. */
EXPORT(createStep)
const Step* createStep(const char* name, const int* buffers, int buffersCount, const int* sizes, int sizesCount, float value) {
  const std::vector<int> numbers(buffers, buffers + buffersCount), extents(sizes, sizes + sizesCount);
  const Run run = wasm::findKernel(name, extents);
  return run == nullptr ? nullptr : new Step{run, numbers, extents, value};
}
/** Runs steps; `buffers` has the address of every buffer of the plan. */
EXPORT(runSteps) void runSteps(const Step* const* steps, int count, float* const* buffers) {
  for (int i = 0; i < count; i++) steps[i]->run(*steps[i], buffers);
}

EXPORT(findOutside) int findOutside(const float* values, int size, double limit) {
  return (int)wasm::findOutside(values, size, limit);
}
EXPORT(fillNormal) void fillNormal(uint32_t key0, uint32_t key1, uint32_t stream, uint32_t time, uint32_t part, float* out, int size) {
  wasm::fillNormal({key0, key1, stream, time, part}, out, size);
}
/** a * b + c, which is to be rounded once. */
EXPORT(multiplyAdd) float multiplyAdd(float a, float b, float c) { return wasm::fma(wasm::splat(a), wasm::splat(b), wasm::splat(c))[0]; }
