// The kernels with AVX-512.
#include "step.h"
#include <immintrin.h>
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")
#endif
namespace avx512 {
namespace {
#include "avx512.h"
#include "kernels.h"
}
}
const Kernels AVX512 = {
    "avx512", avx512::findKernel, avx512::findOutside, avx512::addRounded, avx512::applyAdam, avx512::moveAverage,
    avx512::fillNormal, avx512::toNormal, avx512::convolvePatches,
};
#ifdef __clang__
#pragma clang attribute pop
#endif
