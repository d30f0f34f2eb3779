// One vector of float32, 16 wide with AVX-512 and 8 wide with AVX2, and the few operations that the kernels are written in.
// Included once for each instruction set, inside a namespace of its own: see avx512.cc and avx2.cc.
// No kernel adds up in an order that depends on the width, so both sets give the same bits.

#define INLINE static inline __attribute__((always_inline))

#ifdef GANGLION_AVX512
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
#else
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
#endif

/** y[i] = f(a[i], ...) for `size` values; what is left at the end is computed in a whole vector too. */
template <class F, class... Inputs>
INLINE void map(int64_t size, float* y, F f, const Inputs*... inputs) {
  int64_t i = 0;
  for (; i + WIDTH <= size; i += WIDTH) store(y + i, f(load(inputs + i)...));
  if (i == size) return;
  const auto rest = [&](const float* from) {
    float values[WIDTH] = {};
    memcpy(values, from + i, sizeof(float) * (size - i));
    return load(values);
  };
  float values[WIDTH];
  store(values, f(rest(inputs)...));
  memcpy(y + i, values, sizeof(float) * (size - i));
}
