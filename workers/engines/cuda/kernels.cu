// All kernels of the CUDA engine. workers/engines/cuda/launches.ts has their grids.
#include "image.cuh"
#include "norm.cuh"
#include "single.cuh"
#include "winograd.cuh"
