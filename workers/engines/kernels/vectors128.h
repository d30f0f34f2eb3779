// 128 bits: the vectors that the kernels are written in, in the plain operators of GCC's and clang's vector extensions. neon.h and wasm.h
// add what takes an instruction of the processor; avx512.h says what the operations mean.

using Vector = float __attribute__((vector_size(16)));
using Mask = int32_t __attribute__((vector_size(16)));
using Unaligned = float __attribute__((vector_size(16), aligned(4)));
constexpr int WIDTH = 4;
INLINE Vector load(const float* p) { return *(const Unaligned*)p; }
INLINE void store(float* p, Vector v) { *(Unaligned*)p = v; }
INLINE Vector splat(float x) { return Vector{x, x, x, x}; }
INLINE Vector zero() { return Vector{}; }
INLINE Vector add(Vector a, Vector b) { return a + b; }
INLINE Vector subtract(Vector a, Vector b) { return a - b; }
INLINE Vector multiply(Vector a, Vector b) { return a * b; }
INLINE Vector divide(Vector a, Vector b) { return a / b; }
INLINE Mask isAbove(Vector a, Vector b) { return a > b; }
INLINE Mask isBelow(Vector a, Vector b) { return a < b; }

using Double2 = double __attribute__((vector_size(16)));
using Integer2 = uint64_t __attribute__((vector_size(16)));
using UnalignedDouble2 = double __attribute__((vector_size(16), aligned(8)));
using UnalignedInteger2 = uint64_t __attribute__((vector_size(16), aligned(8)));
struct Doubles {
  Double2 part[4];
};
struct Integers {
  Integer2 part[4];
};
struct WideMask {
  Integer2 part[4];
};
/** The result of an expression for every part i. */
#define EACH(TYPE, ...)                                         \
  TYPE result;                                                  \
  for (int i = 0; i < 4; i++) result.part[i] = (__VA_ARGS__);   \
  return result
INLINE Doubles load(const double* p) { EACH(Doubles, ((const UnalignedDouble2*)p)[i]); }
INLINE void store(double* p, Doubles v) {
  for (int i = 0; i < 4; i++) ((UnalignedDouble2*)p)[i] = v.part[i];
}
INLINE Doubles splatWide(double x) { EACH(Doubles, Double2{x, x}); }
INLINE Doubles add(Doubles a, Doubles b) { EACH(Doubles, a.part[i] + b.part[i]); }
INLINE Doubles subtract(Doubles a, Doubles b) { EACH(Doubles, a.part[i] - b.part[i]); }
INLINE Doubles multiply(Doubles a, Doubles b) { EACH(Doubles, a.part[i] * b.part[i]); }
INLINE Doubles divide(Doubles a, Doubles b) { EACH(Doubles, a.part[i] / b.part[i]); }
INLINE WideMask isBelow(Doubles a, Doubles b) { EACH(WideMask, (Integer2)(a.part[i] < b.part[i])); }
INLINE WideMask exclude(WideMask a, WideMask b) { EACH(WideMask, ~a.part[i] & b.part[i]); }
INLINE bool any(WideMask mask) {
  const Integer2 some = mask.part[0] | mask.part[1] | mask.part[2] | mask.part[3];
  return (some[0] | some[1]) != 0;
}
INLINE Doubles choose(WideMask mask, Doubles a, Doubles b) {
  EACH(Doubles, (Double2)((mask.part[i] & (Integer2)a.part[i]) | (~mask.part[i] & (Integer2)b.part[i])));
}
INLINE Integers load(const uint64_t* p) { EACH(Integers, ((const UnalignedInteger2*)p)[i]); }
INLINE void store(uint64_t* p, Integers v) {
  for (int i = 0; i < 4; i++) ((UnalignedInteger2*)p)[i] = v.part[i];
}
INLINE Integers splatInteger(uint64_t x) { EACH(Integers, Integer2{x, x}); }
INLINE Integers add(Integers a, Integers b) { EACH(Integers, a.part[i] + b.part[i]); }
INLINE Integers bitAnd(Integers a, Integers b) { EACH(Integers, a.part[i] & b.part[i]); }
INLINE Integers bitOr(Integers a, Integers b) { EACH(Integers, a.part[i] | b.part[i]); }
INLINE Integers bitXor(Integers a, Integers b) { EACH(Integers, a.part[i] ^ b.part[i]); }
template <int BITS>
INLINE Integers shiftRight(Integers a) { EACH(Integers, a.part[i] >> BITS); }
template <int BITS>
INLINE Integers shiftLeft(Integers a) { EACH(Integers, a.part[i] << BITS); }
INLINE Integers bitsOf(Doubles a) { EACH(Integers, (Integer2)a.part[i]); }
INLINE Doubles ofBits(Integers a) { EACH(Doubles, (Double2)a.part[i]); }
