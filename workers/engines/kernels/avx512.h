// AVX-512: the vectors that the kernels are written in. Every set has these names.

/** Rows of a block of products: as many as there are registers for. */
constexpr int PIXELS = 8;
/** Taps of a filter at the images that are added up together. */
constexpr int TAPS_TOGETHER = 16;

using Vector = __m512;
using Mask = __mmask16;
constexpr int WIDTH = 16;
INLINE Vector load(const float* p) { return _mm512_loadu_ps(p); }
INLINE void store(float* p, Vector v) { _mm512_storeu_ps(p, v); }
INLINE Vector splat(float x) { return _mm512_set1_ps(x); }
INLINE Vector zero() { return _mm512_setzero_ps(); }
INLINE Vector add(Vector a, Vector b) { return _mm512_add_ps(a, b); }
INLINE Vector subtract(Vector a, Vector b) { return _mm512_sub_ps(a, b); }
INLINE Vector multiply(Vector a, Vector b) { return _mm512_mul_ps(a, b); }
INLINE Vector divide(Vector a, Vector b) { return _mm512_div_ps(a, b); }
INLINE Vector squareRoot(Vector a) { return _mm512_sqrt_ps(a); }
/** a * b + c, rounded once. */
INLINE Vector fma(Vector a, Vector b, Vector c) { return _mm512_fmadd_ps(a, b, c); }
INLINE Vector round(Vector a) { return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
INLINE Vector magnitude(Vector a) { return _mm512_abs_ps(a); }
INLINE Mask isAbove(Vector a, Vector b) { return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ); }
INLINE Mask isBelow(Vector a, Vector b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
INLINE bool all(Mask mask) { return mask == 0xffff; }
/** a where the mask is set, else b. */
INLINE Vector choose(Mask mask, Vector a, Vector b) { return _mm512_mask_blend_ps(mask, b, a); }
/** a * 2^n for a whole n in the range of float32's exponents. */
INLINE Vector scale(Vector a, Vector n) { return _mm512_scalef_ps(a, n); }

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
