// Eight numbers of float64, or eight integers of 64 bits, and the few operations on them that the arithmetic of the JavaScript is
// written in: update.h and noise.h. Every product and every sum is rounded by itself, as in JavaScript, so there is no fma here.

#ifdef GANGLION_AVX512
using Doubles = __m512d;
INLINE Doubles load(const double* p) { return _mm512_loadu_pd(p); }
INLINE void store(double* p, Doubles v) { _mm512_storeu_pd(p, v); }
// Neither the conversions nor the root by the intrinsics without a mask: GCC 12 warns of the undefined vector inside them. Nor by
// __builtin_convertvector, which it makes of two halves: exact sums then take 1.6 times as long where their memory is near.
INLINE Doubles loadWide(const float* p) { return _mm512_maskz_cvtps_pd(0xff, _mm256_loadu_ps(p)); }
/** Rounds to the nearest float32, ties to even, as a Float32Array does. */
INLINE void storeNarrow(float* p, Doubles v) { _mm256_storeu_ps(p, _mm512_maskz_cvtpd_ps(0xff, v)); }
INLINE Doubles splatWide(double x) { return _mm512_set1_pd(x); }
INLINE Doubles add(Doubles a, Doubles b) { return _mm512_add_pd(a, b); }
INLINE Doubles subtract(Doubles a, Doubles b) { return _mm512_sub_pd(a, b); }
INLINE Doubles multiply(Doubles a, Doubles b) { return _mm512_mul_pd(a, b); }
INLINE Doubles divide(Doubles a, Doubles b) { return _mm512_div_pd(a, b); }
INLINE Doubles squareRoot(Doubles a) { return _mm512_maskz_sqrt_pd(0xff, a); }
INLINE Doubles roundDown(Doubles a) { return _mm512_mask_roundscale_pd(a, 0xff, a, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC); }
using WideMask = __mmask8;
INLINE WideMask isBelow(Doubles a, Doubles b) { return _mm512_cmp_pd_mask(a, b, _CMP_LT_OQ); }
/** b, and not a. */
INLINE WideMask exclude(WideMask a, WideMask b) { return ~a & b; }
INLINE bool any(WideMask mask) { return mask != 0; }
/** a where the mask is set, else b. */
INLINE Doubles choose(WideMask mask, Doubles a, Doubles b) { return _mm512_mask_blend_pd(mask, b, a); }

/** Eight integers of 64 bits, none with a sign. */
using Integers = __m512i;
INLINE Integers load(const uint64_t* p) { return _mm512_loadu_si512(p); }
INLINE void store(uint64_t* p, Integers v) { _mm512_storeu_si512(p, v); }
INLINE Integers splatInteger(uint64_t x) { return _mm512_set1_epi64(x); }
INLINE Integers add(Integers a, Integers b) { return _mm512_add_epi64(a, b); }
INLINE Integers bitAnd(Integers a, Integers b) { return _mm512_and_si512(a, b); }
INLINE Integers bitOr(Integers a, Integers b) { return _mm512_or_si512(a, b); }
INLINE Integers bitXor(Integers a, Integers b) { return _mm512_xor_si512(a, b); }
/** The 64 bits of the product of the low 32 bits of each. */
INLINE Integers multiplyLow(Integers a, Integers b) { return _mm512_maskz_mul_epu32(0xff, a, b); }
template <int BITS>
INLINE Integers shiftRight(Integers a) { return _mm512_maskz_srli_epi64(0xff, a, BITS); }
template <int BITS>
INLINE Integers shiftLeft(Integers a) { return _mm512_maskz_slli_epi64(0xff, a, BITS); }
INLINE Integers bitsOf(Doubles a) { return _mm512_castpd_si512(a); }
INLINE Doubles ofBits(Integers a) { return _mm512_castsi512_pd(a); }
#else
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
#endif

constexpr int LANES = 8;
