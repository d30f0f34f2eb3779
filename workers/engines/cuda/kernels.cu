// All kernels of the CUDA engine. workers/engines/cuda/launches.ts has their grids.
#include "image.cuh"
#include "inputs.cuh"
#include "norm.cuh"
#include "single.cuh"
#include "update.cuh"
#include "vector.cuh"
#include "winograd.cuh"
