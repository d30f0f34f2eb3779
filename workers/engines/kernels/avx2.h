// AVX2 and fused multiply-add: the vectors that the kernels are written in. avx512.h says what the operations mean.

constexpr int PIXELS = 4;
constexpr int TAPS_TOGETHER = 8;

using Vector = __m256;
using Mask = __m256;
constexpr int WIDTH = 8;
INLINE Vector load(const float* p) { return _mm256_loadu_ps(p); }
INLINE void store(float* p, Vector v) { _mm256_storeu_ps(p, v); }
INLINE Vector splat(float x) { return _mm256_set1_ps(x); }
INLINE Vector zero() { return _mm256_setzero_ps(); }
INLINE Vector add(Vector a, Vector b) { return _mm256_add_ps(a, b); }
INLINE Vector subtract(Vector a, Vector b) { return _mm256_sub_ps(a, b); }
INLINE Vector multiply(Vector a, Vector b) { return _mm256_mul_ps(a, b); }
INLINE Vector divide(Vector a, Vector b) { return _mm256_div_ps(a, b); }
INLINE Vector squareRoot(Vector a) { return _mm256_sqrt_ps(a); }
INLINE Vector fma(Vector a, Vector b, Vector c) { return _mm256_fmadd_ps(a, b, c); }
INLINE Vector round(Vector a) { return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
INLINE Vector magnitude(Vector a) { return _mm256_andnot_ps(splat(-0.0f), a); }
INLINE Mask isAbove(Vector a, Vector b) { return _mm256_cmp_ps(a, b, _CMP_GT_OQ); }
INLINE Mask isBelow(Vector a, Vector b) { return _mm256_cmp_ps(a, b, _CMP_LT_OQ); }
INLINE bool all(Mask mask) { return _mm256_movemask_ps(mask) == 0xff; }
INLINE Vector choose(Mask mask, Vector a, Vector b) { return _mm256_blendv_ps(b, a, mask); }
INLINE Vector scale(Vector a, Vector n) {
  const __m256i exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
  return multiply(a, _mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23)));
}

struct Doubles {
  __m256d low, high;
};
INLINE Doubles load(const double* p) { return {_mm256_loadu_pd(p), _mm256_loadu_pd(p + 4)}; }
INLINE void store(double* p, Doubles v) { _mm256_storeu_pd(p, v.low), _mm256_storeu_pd(p + 4, v.high); }
INLINE Doubles loadWide(const float* p) { return {_mm256_cvtps_pd(_mm_loadu_ps(p)), _mm256_cvtps_pd(_mm_loadu_ps(p + 4))}; }
INLINE void storeNarrow(float* p, Doubles v) { _mm_storeu_ps(p, _mm256_cvtpd_ps(v.low)), _mm_storeu_ps(p + 4, _mm256_cvtpd_ps(v.high)); }
INLINE Doubles splatWide(double x) { return {_mm256_set1_pd(x), _mm256_set1_pd(x)}; }
INLINE Doubles add(Doubles a, Doubles b) { return {_mm256_add_pd(a.low, b.low), _mm256_add_pd(a.high, b.high)}; }
INLINE Doubles subtract(Doubles a, Doubles b) { return {_mm256_sub_pd(a.low, b.low), _mm256_sub_pd(a.high, b.high)}; }
INLINE Doubles multiply(Doubles a, Doubles b) { return {_mm256_mul_pd(a.low, b.low), _mm256_mul_pd(a.high, b.high)}; }
INLINE Doubles divide(Doubles a, Doubles b) { return {_mm256_div_pd(a.low, b.low), _mm256_div_pd(a.high, b.high)}; }
INLINE Doubles squareRoot(Doubles a) { return {_mm256_sqrt_pd(a.low), _mm256_sqrt_pd(a.high)}; }
INLINE Doubles roundDown(Doubles a) { return {_mm256_floor_pd(a.low), _mm256_floor_pd(a.high)}; }
struct WideMask {
  __m256d low, high;
};
INLINE WideMask isBelow(Doubles a, Doubles b) { return {_mm256_cmp_pd(a.low, b.low, _CMP_LT_OQ), _mm256_cmp_pd(a.high, b.high, _CMP_LT_OQ)}; }
INLINE WideMask exclude(WideMask a, WideMask b) { return {_mm256_andnot_pd(a.low, b.low), _mm256_andnot_pd(a.high, b.high)}; }
INLINE bool any(WideMask mask) { return _mm256_movemask_pd(_mm256_or_pd(mask.low, mask.high)) != 0; }
INLINE Doubles choose(WideMask mask, Doubles a, Doubles b) {
  return {_mm256_blendv_pd(b.low, a.low, mask.low), _mm256_blendv_pd(b.high, a.high, mask.high)};
}

struct Integers {
  __m256i low, high;
};
INLINE Integers load(const uint64_t* p) {
  return {_mm256_loadu_si256((const __m256i*)p), _mm256_loadu_si256((const __m256i*)(p + 4))};
}
INLINE void store(uint64_t* p, Integers v) { _mm256_storeu_si256((__m256i*)p, v.low), _mm256_storeu_si256((__m256i*)(p + 4), v.high); }
INLINE Integers splatInteger(uint64_t x) { return {_mm256_set1_epi64x(x), _mm256_set1_epi64x(x)}; }
INLINE Integers add(Integers a, Integers b) { return {_mm256_add_epi64(a.low, b.low), _mm256_add_epi64(a.high, b.high)}; }
INLINE Integers bitAnd(Integers a, Integers b) { return {_mm256_and_si256(a.low, b.low), _mm256_and_si256(a.high, b.high)}; }
INLINE Integers bitOr(Integers a, Integers b) { return {_mm256_or_si256(a.low, b.low), _mm256_or_si256(a.high, b.high)}; }
INLINE Integers bitXor(Integers a, Integers b) { return {_mm256_xor_si256(a.low, b.low), _mm256_xor_si256(a.high, b.high)}; }
INLINE Integers multiplyLow(Integers a, Integers b) { return {_mm256_mul_epu32(a.low, b.low), _mm256_mul_epu32(a.high, b.high)}; }
template <int BITS>
INLINE Integers shiftRight(Integers a) { return {_mm256_srli_epi64(a.low, BITS), _mm256_srli_epi64(a.high, BITS)}; }
template <int BITS>
INLINE Integers shiftLeft(Integers a) { return {_mm256_slli_epi64(a.low, BITS), _mm256_slli_epi64(a.high, BITS)}; }
INLINE Integers bitsOf(Doubles a) { return {_mm256_castpd_si256(a.low), _mm256_castpd_si256(a.high)}; }
INLINE Doubles ofBits(Integers a) { return {_mm256_castsi256_pd(a.low), _mm256_castsi256_pd(a.high)}; }
