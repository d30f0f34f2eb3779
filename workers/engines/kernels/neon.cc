// The kernels with NEON.
#include "step.h"
#include <arm_neon.h>
namespace neon {
namespace {
#include "neon.h"
#include "kernels.h"
}
}
const Kernels NEON = {
    "neon", neon::findKernel, neon::findOutside, neon::addRounded, neon::applyAdam,
    neon::moveAverage, neon::fillNormal, neon::toNormal, neon::convolvePatches,
};
