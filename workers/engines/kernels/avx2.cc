// The kernels with AVX2 and fused multiply-add.
#include "step.h"
#pragma GCC target("avx2,fma")
#include <immintrin.h>
namespace avx2 {
namespace {
#include "kernels.h"
}
}
const Kernels AVX2 = {
    "avx2", avx2::findKernel, avx2::findOutside, avx2::addRounded, avx2::applyAdam, avx2::fillNormal, avx2::toNormal,
};
