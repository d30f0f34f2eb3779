// One source of kernels, compiled as CUDA (nvcc, NVRTC) and as C++ (the emulation of emulation.h): here is what the two differ in. Every
// operation is an instruction of its own with its rounding in its name, so that no flag of a compiler changes a bit (docs/arithmetic.md).
#pragma once
#ifdef __CUDACC__
/** A kernel that any grid of `threads` a block may run; arguments are pointers, int and float. */
#define KERNEL(name, threads, ...) extern "C" __global__ void __launch_bounds__(threads) name(__VA_ARGS__)
/** A kernel whose threads wait for each other. */
#define BLOCK_KERNEL(name, threads, ...) KERNEL(name, threads, __VA_ARGS__)
#define DEVICE __device__ __forceinline__
#define SHARED __shared__
/** For vectors of four. */
#define SHARED_16 __shared__ __align__(16)
#define UNROLL _Pragma("unroll")
#define UNROLL_16 _Pragma("unroll 16")
#define UNROLL_4 _Pragma("unroll 4")
typedef long long i64;
typedef unsigned int u32;
typedef unsigned long long u64;
DEVICE float fAdd(float a, float b) { return __fadd_rn(a, b); }
DEVICE float fSub(float a, float b) { return __fsub_rn(a, b); }
DEVICE float fMul(float a, float b) { return __fmul_rn(a, b); }
DEVICE float fDiv(float a, float b) { return __fdiv_rn(a, b); }
DEVICE float fFma(float a, float b, float c) { return __fmaf_rn(a, b, c); }
DEVICE double widen(float a) { return a; }
DEVICE float narrow(double a) { return __double2float_rn(a); }
DEVICE double dAdd(double a, double b) { return __dadd_rn(a, b); }
DEVICE double dSub(double a, double b) { return __dsub_rn(a, b); }
DEVICE double dMul(double a, double b) { return __dmul_rn(a, b); }
DEVICE double dDiv(double a, double b) { return __ddiv_rn(a, b); }
DEVICE double dSqrt(double a) { return __dsqrt_rn(a); }
DEVICE double roundDown(double a) { return floor(a); }
DEVICE double magnitude(double a) { return fabs(a); }
DEVICE u32 highOf(double a) { return (u32)__double2hiint(a); }
DEVICE double withHigh(double a, u32 high) { return __hiloint2double((int)high, __double2loint(a)); }
DEVICE u32 multiplyHigh(u32 a, u32 b) { return __umulhi(a, b); }
DEVICE void atLeast(int* least, int value) { atomicMin(least, value); }
DEVICE float roundEven(float a) { return rintf(a); }
DEVICE float magnitude(float a) { return fabsf(a); }
DEVICE float powerOfTwo(int n) { return __int_as_float((n + 127) << 23); }
DEVICE void barrier() { __syncthreads(); }
template <class T>
DEVICE T* own(T* pointer) { return pointer; }
#define TID ((int)threadIdx.x)
#define THREADS ((int)blockDim.x)
#define BLOCK ((int)blockIdx.x)
#define BLOCK_Y ((int)blockIdx.y)
#define BLOCK_Z ((int)blockIdx.z)
#define GRID ((int)gridDim.x)
struct __align__(16) Four { float v[4]; };
DEVICE Four load4(const float* p) { const float4 q = *reinterpret_cast<const float4*>(p); return {{q.x, q.y, q.z, q.w}}; }
DEVICE void store4(float* p, const Four& a) { *reinterpret_cast<float4*>(p) = make_float4(a.v[0], a.v[1], a.v[2], a.v[3]); }
#else
#include "emulation.h"
#endif

/** The activation: LeakyReLU, of which slope 0 is ReLU, and 1 none. fma, not multiply: ReLU of a negative number is 0, not -0. */
DEVICE float activate(float x, float slope) { return x > 0 ? x : fFma(x, slope, 0); }
/** Gradient through the activation, whose output y tells where it was steep. */
DEVICE float throughActivation(float dy, float y, float slope) { return y > 0 ? dy : fFma(dy, slope, 0); }
/** Place of a thread in the grid. */
DEVICE i64 placeInGrid() { return (i64)BLOCK * THREADS + TID; }
