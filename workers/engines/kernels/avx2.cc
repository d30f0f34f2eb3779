// The kernels with AVX2 and fused multiply-add.
#include "step.h"
#include <immintrin.h>
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx2,fma")
#endif
namespace avx2 {
namespace {
#include "avx2.h"
#include "kernels.h"
}
}
const Kernels AVX2 = {
    "avx2", avx2::findKernel, avx2::findOutside, avx2::addRounded, avx2::applyAdam, avx2::moveAverage,
    avx2::fillNormal, avx2::toNormal, avx2::convolvePatches,
};
#ifdef __clang__
#pragma clang attribute pop
#endif
