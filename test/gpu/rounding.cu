// How a GPU rounds at the edge of float32's normal range. Without .ftz it must do as IEEE 754 says (docs/arithmetic.md); with .ftz, which no
// kernel uses, it flushes before or after rounding: for the record.
#include <cstdio>

__global__ void compute(const float* in, const double* wide, unsigned* out) {
  float r;
  asm volatile("mul.rn.f32 %0,%1,%2;" : "=f"(r) : "f"(in[0]), "f"(in[1]));
  out[0] = __float_as_uint(r); // 2^-126 (1 - 2^-24): a tie, to the even 2^-126
  asm volatile("fma.rn.f32 %0,%1,%2,%3;" : "=f"(r) : "f"(in[2]), "f"(in[3]), "f"(in[4]));
  out[1] = __float_as_uint(r); // 2^-126 - 2^-160
  asm volatile("mul.rn.f32 %0,%1,%2;" : "=f"(r) : "f"(in[1]), "f"(in[5]));
  out[2] = __float_as_uint(r); // 2^-127, subnormal
  asm volatile("cvt.rn.f32.f64 %0,%1;" : "=f"(r) : "d"(wide[0]));
  out[3] = __float_as_uint(r); // 2^-127 by conversion
  asm volatile("mul.rn.ftz.f32 %0,%1,%2;" : "=f"(r) : "f"(in[0]), "f"(in[1]));
  out[4] = __float_as_uint(r);
  asm volatile("fma.rn.ftz.f32 %0,%1,%2,%3;" : "=f"(r) : "f"(in[2]), "f"(in[3]), "f"(in[4]));
  out[5] = __float_as_uint(r);
  asm volatile("cvt.rn.ftz.f32.f64 %0,%1;" : "=f"(r) : "d"(wide[1]));
  out[6] = __float_as_uint(r);
}

int main() {
  const float values[] = {1 - 0x1p-24f, 0x1p-126f, 0x1p-80f, -0x1p-80f, 0x1p-126f, 0.5f};
  const double wide[] = {0x1p-127, 0x1p-126 * (1 - 0x1p-26)};
  float* in;
  double* doubles;
  unsigned *out, got[7];
  cudaMalloc(&in, sizeof values), cudaMalloc(&doubles, sizeof wide), cudaMalloc(&out, sizeof got);
  cudaMemcpy(in, values, sizeof values, cudaMemcpyHostToDevice), cudaMemcpy(doubles, wide, sizeof wide, cudaMemcpyHostToDevice);
  compute<<<1, 1>>>(in, doubles, out);
  if (const cudaError_t error = cudaMemcpy(got, out, sizeof got, cudaMemcpyDeviceToHost)) return puts(cudaGetErrorString(error)), 1;
  const unsigned expected[] = {0x00800000, 0x00800000, 0x00400000, 0x00400000};
  int wrong = 0;
  for (int i = 0; i < 4; i++) wrong += got[i] != expected[i];
  printf("IEEE: %08x %08x %08x %08x, %s; flushing: mul %08x, fma %08x, cvt %08x\n", got[0], got[1], got[2], got[3],
         wrong ? "WRONG" : "right", got[4], got[5], got[6]);
  return wrong != 0;
}
