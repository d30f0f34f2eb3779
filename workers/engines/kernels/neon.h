// NEON, as every arm64 processor has it: the vectors that the kernels are written in.

constexpr int PIXELS = 8;
constexpr int TAPS_TOGETHER = 16;

#include "vectors128.h"

INLINE Vector squareRoot(Vector a) { return (Vector)vsqrtq_f32((float32x4_t)a); }
INLINE Vector fma(Vector a, Vector b, Vector c) { return (Vector)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b); }
INLINE Vector round(Vector a) { return (Vector)vrndnq_f32((float32x4_t)a); }
INLINE Vector magnitude(Vector a) { return (Vector)vabsq_f32((float32x4_t)a); }
INLINE bool all(Mask mask) { return vminvq_u32((uint32x4_t)mask) == 0xffffffff; }
INLINE Vector choose(Mask mask, Vector a, Vector b) { return (Vector)vbslq_f32((uint32x4_t)mask, (float32x4_t)a, (float32x4_t)b); }
INLINE Vector scale(Vector a, Vector n) {
  const int32x4_t exponent = vaddq_s32(vcvtnq_s32_f32((float32x4_t)n), vdupq_n_s32(127));
  return multiply(a, (Vector)vshlq_n_s32(exponent, 23));
}

INLINE Doubles loadWide(const float* p) { EACH(Doubles, (Double2)vcvt_f64_f32(vld1_f32(p + 2 * i))); }
INLINE void storeNarrow(float* p, Doubles v) {
  for (int i = 0; i < 4; i++) vst1_f32(p + 2 * i, vcvt_f32_f64((float64x2_t)v.part[i]));
}
INLINE Doubles squareRoot(Doubles a) { EACH(Doubles, (Double2)vsqrtq_f64((float64x2_t)a.part[i])); }
INLINE Doubles roundDown(Doubles a) { EACH(Doubles, (Double2)vrndmq_f64((float64x2_t)a.part[i])); }
INLINE Integers multiplyLow(Integers a, Integers b) {
  EACH(Integers, (Integer2)vmull_u32(vmovn_u64((uint64x2_t)a.part[i]), vmovn_u64((uint64x2_t)b.part[i])));
}
#undef EACH
