// WebAssembly: the vectors that the kernels are written in. With GANGLION_EXACT, a fused multiply-add of float64 operations: slow, and
// right where an engine does not fuse that of relaxed SIMD.

constexpr int PIXELS = 4;
constexpr int TAPS_TOGETHER = 8;

#include "../kernels/vectors128.h"

INLINE Vector squareRoot(Vector a) { return (Vector)wasm_f32x4_sqrt((v128_t)a); }
#ifdef GANGLION_EXACT
/** Two of a * b + c in float64, rounded to odd, so that rounding once more gives what rounding once gives (Boldo & Melquiond 2008). */
INLINE v128_t toOdd(v128_t a, v128_t b, v128_t c) {
  const v128_t product = wasm_f64x2_mul(a, b), sum = wasm_f64x2_add(product, c), added = wasm_f64x2_sub(sum, product);
  const v128_t error = wasm_f64x2_add(wasm_f64x2_sub(product, wasm_f64x2_sub(sum, added)), wasm_f64x2_sub(c, added));
  const v128_t isInexact = wasm_v128_and(wasm_f64x2_ne(error, wasm_f64x2_splat(0)), wasm_f64x2_eq(error, error));
  const v128_t isEven = wasm_i64x2_eq(wasm_v128_and(sum, wasm_i64x2_splat(1)), wasm_i64x2_splat(0));
  const v128_t isLarger = wasm_i64x2_ge(wasm_v128_xor(sum, error), wasm_i64x2_splat(0)); // the exact value is farther from 0
  const v128_t step = wasm_v128_bitselect(wasm_i64x2_splat(1), wasm_i64x2_splat(-1), isLarger);
  return wasm_i64x2_add(sum, wasm_v128_and(wasm_v128_and(isInexact, isEven), step));
}
/** Called, not inlined: it has some forty instructions. */
__attribute__((noinline)) static Vector fma(Vector a, Vector b, Vector c) {
  const auto low = [](Vector v) { return wasm_f64x2_promote_low_f32x4((v128_t)v); };
  const auto high = [](Vector v) { return wasm_f64x2_promote_low_f32x4(wasm_i32x4_shuffle((v128_t)v, (v128_t)v, 2, 3, 2, 3)); };
  const v128_t first = wasm_f32x4_demote_f64x2_zero(toOdd(low(a), low(b), low(c)));
  const v128_t second = wasm_f32x4_demote_f64x2_zero(toOdd(high(a), high(b), high(c)));
  return (Vector)wasm_i32x4_shuffle(first, second, 0, 1, 4, 5);
}
INLINE Vector choose(Mask mask, Vector a, Vector b) { return (Vector)wasm_v128_bitselect((v128_t)a, (v128_t)b, (v128_t)mask); }
#else
INLINE Vector fma(Vector a, Vector b, Vector c) { return (Vector)wasm_f32x4_relaxed_madd((v128_t)a, (v128_t)b, (v128_t)c); }
INLINE Vector choose(Mask mask, Vector a, Vector b) {
  return (Vector)wasm_i32x4_relaxed_laneselect((v128_t)a, (v128_t)b, (v128_t)mask);
}
#endif
INLINE Vector round(Vector a) { return (Vector)wasm_f32x4_nearest((v128_t)a); }
INLINE Vector magnitude(Vector a) { return (Vector)wasm_f32x4_abs((v128_t)a); }
INLINE bool all(Mask mask) { return wasm_i32x4_all_true((v128_t)mask); }
INLINE Vector scale(Vector a, Vector n) {
  const v128_t exponent = wasm_i32x4_add(wasm_i32x4_trunc_sat_f32x4((v128_t)n), wasm_i32x4_splat(127));
  return multiply(a, (Vector)wasm_i32x4_shl(exponent, 23));
}

INLINE Doubles loadWide(const float* p) {
  EACH(Doubles, (Double2)wasm_f64x2_promote_low_f32x4(wasm_v128_load64_zero(p + 2 * i)));
}
INLINE void storeNarrow(float* p, Doubles v) {
  for (int i = 0; i < 4; i++) wasm_v128_store64_lane(p + 2 * i, wasm_f32x4_demote_f64x2_zero((v128_t)v.part[i]), 0);
}
INLINE Doubles squareRoot(Doubles a) { EACH(Doubles, (Double2)wasm_f64x2_sqrt((v128_t)a.part[i])); }
INLINE Doubles roundDown(Doubles a) { EACH(Doubles, (Double2)wasm_f64x2_floor((v128_t)a.part[i])); }
INLINE Integers multiplyLow(Integers a, Integers b) {
  const auto low = [](Integer2 x) { return wasm_i32x4_shuffle((v128_t)x, (v128_t)x, 0, 2, 0, 2); };
  EACH(Integers, (Integer2)wasm_u64x2_extmul_low_u32x4(low(a.part[i]), low(b.part[i])));
}
#undef EACH
