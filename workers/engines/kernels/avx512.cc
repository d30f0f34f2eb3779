// The kernels with AVX-512.
#include "step.h"
#pragma GCC target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")
#include <immintrin.h>
#define GANGLION_AVX512
namespace avx512 {
namespace {
#include "kernels.h"
}
}
const Kernels AVX512 = {
    "avx512", avx512::findKernel, avx512::findOutside, avx512::addRounded, avx512::applyAdam, avx512::fillNormal, avx512::toNormal,
};
