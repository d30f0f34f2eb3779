// Normal noise as in shared/random.ts, eight pairs of words at a time, with its bits: Philox of shared/philox.ts, then Box and Muller's
// transform with the logarithm, cosine and sine of shared/fdlibm.ts.
//
// The algorithms and coefficients are those of fdlibm (e_log.c, e_rem_pio2.c, k_cos.c, k_sin.c):
// Copyright (C) 1993 by Sun Microsystems, Inc. All rights reserved. Developed at SunSoft, a Sun Microsystems, Inc. business.
// Permission to use, copy, modify, and distribute this software is freely granted, provided that this notice is preserved.
//
// fdlibm branches on the upper 20 bits of a mantissa. Here all branches are computed, and comparisons with numbers that have zeros
// below those bits choose among them. Of angles close to a quarter it takes more bits of pi, for some of them; here all within 2^-17 have
// the same number of them, which changes no result (noise.test.ts has every such angle that a word gives).

/** From integers below 2^52. */
INLINE Doubles toDoubles(Integers a) {
  const Doubles unit = splatWide(0x1p52);
  return subtract(ofBits(bitOr(a, bitsOf(unit))), unit);
}

INLINE Doubles magnitude(Doubles a) { return ofBits(bitAnd(bitsOf(a), splatInteger(0x7fffffffffffffff))); }

/** c[0] + x (c[1] + x (c[2] + ...)) */
template <size_t COUNT>
INLINE Doubles polynomial(Doubles x, const double (&c)[COUNT]) {
  Doubles sum = splatWide(c[COUNT - 1]);
  for (size_t i = COUNT - 1; i-- > 0;) sum = add(splatWide(c[i]), multiply(x, sum));
  return sum;
}

/** Natural logarithm of numbers above 0 that are not subnormal. */
INLINE Doubles logarithm(Doubles x) {
  constexpr double LN2_HIGH = 0x1.62e42feep-1, LN2_LOW = 0x1.a39ef35793c76p-33;
  constexpr double ODD[] = {0x1.5555555555593p-1, 0x1.2492494229359p-2, 0x1.7466496cb03dep-3, 0x1.2f112df3e5244p-3};
  constexpr double EVEN[] = {0x1.999999997fa04p-2, 0x1.c71c51d8e78afp-3, 0x1.39a09d078c69fp-3};
  const Integers bits = bitsOf(x);
  const Doubles exponent = subtract(toDoubles(shiftRight<52>(bits)), splatWide(1023));
  const Doubles mantissa = ofBits(bitOr(bitAnd(bits, splatInteger(0xfffffffffffff)), bitsOf(splatWide(1))));
  // x = 2^k (1 + f) with 1 + f between about sqrt(1/2) and sqrt(2)
  const WideMask isLower = isBelow(mantissa, splatWide(0x1.6a09cp0));
  const Doubles k = choose(isLower, exponent, add(exponent, splatWide(1)));
  const Doubles f = subtract(choose(isLower, mantissa, multiply(splatWide(0.5), mantissa)), splatWide(1));
  const Doubles kHigh = multiply(k, splatWide(LN2_HIGH)), kLow = multiply(k, splatWide(LN2_LOW));

  const Doubles s = divide(f, add(splatWide(2), f));
  const Doubles z = multiply(s, s), w = multiply(z, z);
  const Doubles r = add(multiply(z, polynomial(w, ODD)), multiply(w, polynomial(w, EVEN)));
  const Doubles halfSquare = multiply(multiply(splatWide(0.5), f), f);
  const Doubles far = subtract(multiply(s, subtract(f, r)), kLow);
  const Doubles middle = subtract(halfSquare, add(multiply(s, add(halfSquare, r)), kLow));
  const Doubles third = splatWide(0x1.5555555555555p-2);
  const Doubles near = subtract(multiply(multiply(f, f), subtract(splatWide(0.5), multiply(third, f))), kLow);

  const WideMask isMiddle = exclude(isBelow(mantissa, splatWide(0x1.6147ap0)), isBelow(mantissa, splatWide(0x1.6b852p0)));
  const WideMask isNear = exclude(isBelow(f, splatWide(-0x1p-20)), isBelow(f, splatWide(0x1p-20)));
  return subtract(kHigh, subtract(choose(isNear, near, choose(isMiddle, middle, far)), f));
}

/** `high` + `low` is an angle less a multiple of pi/2. */
struct Reduced {
  Doubles high, low;
};

/** Cosine of what is left of an angle. */
INLINE Doubles cosineOf(Reduced x) {
  constexpr double C[] = {0x1.555555555554cp-5,   -0x1.6c16c16c15177p-10, 0x1.a01a019cb159p-16,
                          -0x1.27e4f809c52adp-22, 0x1.1ee9ebdb4b1c4p-29,  -0x1.8fae9be8838d4p-37};
  const Doubles z = multiply(x.high, x.high);
  const Doubles r = multiply(z, polynomial(z, C));
  // a part of z/2 that 1 can be lessened by without rounding
  const Doubles upper = ofBits(bitAnd(bitsOf(x.high), splatInteger(0x7fffffff00000000)));
  const Doubles most = choose(isBelow(splatWide(0.78125), upper), splatWide(0.28125), multiply(splatWide(0.25), upper));
  const Doubles part = choose(isBelow(upper, splatWide(0x1.33333p-2)), splatWide(0), most);
  const Doubles rest = subtract(multiply(splatWide(0.5), z), part);
  return subtract(subtract(splatWide(1), part), subtract(rest, subtract(multiply(z, r), multiply(x.high, x.low))));
}

/** Sine of what is left of an angle; where `isWhole`, nothing has been taken off it, and `low` is 0. */
INLINE Doubles sineOf(Reduced x, WideMask isWhole) {
  constexpr double S1 = -0x1.5555555555549p-3;
  constexpr double S[] = {0x1.111111110f8a6p-7, -0x1.a01a019c161d5p-13, 0x1.71de357b1fe7dp-19, -0x1.ae5e68a2b9cebp-26,
                          0x1.5d93a5acfd57cp-33};
  const Doubles z = multiply(x.high, x.high), v = multiply(z, x.high);
  const Doubles r = polynomial(z, S);
  const Doubles whole = add(x.high, multiply(v, add(splatWide(S1), multiply(z, r))));
  const Doubles bend = subtract(multiply(z, subtract(multiply(splatWide(0.5), x.low), multiply(v, r))), x.low);
  const Doubles reduced = subtract(x.high, subtract(bend, multiply(v, splatWide(S1))));
  // as small as this, fdlibm takes it for its sine and leaves out what is below it
  const WideMask isTiny = isBelow(magnitude(x.high), splatWide(0x1p-27));
  return choose(isTiny, x.high, choose(isWhole, whole, reduced));
}

/** a - b, and what its rounding has lost. */
INLINE Reduced reduce(Doubles a, Doubles b) {
  const Doubles high = subtract(a, b);
  return {high, subtract(subtract(a, high), b)};
}

struct CosineAndSine {
  Doubles cosine, sine;
};

/** Of angles from 0 to 2 pi. */
INLINE CosineAndSine cosineAndSine(Doubles angle) {
  const WideMask isWhole = isBelow(angle, splatWide(0x1.921fcp-1)); // up to pi/4
  const Doubles nearest = roundDown(add(multiply(angle, splatWide(0x1.45f306dc9c883p-1)), splatWide(0.5)));
  const Doubles n = choose(isWhole, splatWide(0), nearest);
  // pi/2 is a part of 33 bits and a rest, which again is such a part and a rest.
  const Doubles before = subtract(angle, multiply(n, splatWide(0x1.921fb544p0))), rest = multiply(n, splatWide(0x1.0b4611a626331p-34));
  Reduced x = reduce(before, rest);
  const WideMask isClose = exclude(isWhole, isBelow(magnitude(x.high), splatWide(0x1p-17))); // most bits have cancelled
  if (any(isClose)) { // once in some 100,000 angles
    const Doubles part = multiply(n, splatWide(0x1.0b4611a6p-34)), after = subtract(before, part);
    const Doubles lost = subtract(subtract(before, after), part);
    const Reduced closely = reduce(after, subtract(multiply(n, splatWide(0x1.3198a2e037073p-69)), lost));
    x = {choose(isClose, closely.high, x.high), choose(isClose, closely.low, x.low)};
  }
  const Doubles cosine = cosineOf(x), sine = sineOf(x, isWhole);
  const Doubles half = multiply(splatWide(0.5), n);
  const WideMask isOdd = isBelow(roundDown(half), half);
  // Bit 1 of n is the sine's sign, bit 1 of n + 1 the cosine's.
  const auto withSign = [](Doubles a, Doubles n) {
    const Integers sign = bitAnd(shiftLeft<62>(bitsOf(add(n, splatWide(0x1p52)))), splatInteger(1ull << 63));
    return ofBits(bitXor(bitsOf(a), sign));
  };
  return {withSign(choose(isOdd, sine, cosine), add(n, splatWide(1))), withSign(choose(isOdd, cosine, sine), n)};
}

INLINE void storeAs(float* p, Doubles v) { storeNarrow(p, v); }
INLINE void storeAs(double* p, Doubles v) { store(p, v); }

/** 16 normal numbers from 16 words of 32 bits. */
template <class T>
INLINE void transform(const uint64_t* pairs, T* out) {
  const Integers words = load(pairs);
  const Doubles first = toDoubles(bitAnd(words, splatInteger(0xffffffff))), second = toDoubles(shiftRight<32>(words));
  const Doubles u1 = multiply(add(first, splatWide(1)), splatWide(0x1p-32)), u2 = multiply(second, splatWide(0x1p-32));
  const Doubles radius = squareRoot(multiply(splatWide(-2), logarithm(u1)));
  const CosineAndSine at = cosineAndSine(multiply(splatWide(0x1.921fb54442d18p2), u2));
  T cosines[LANES], sines[LANES];
  storeAs(cosines, multiply(radius, at.cosine));
  storeAs(sines, multiply(radius, at.sine));
  for (int lane = 0; lane < LANES; lane++) out[2 * lane] = cosines[lane], out[2 * lane + 1] = sines[lane];
}

constexpr int BLOCK = 4; // words that Philox gives at a time

/** The words of blocks `first` to `first` + 7 of a stream, in pairs. */
INLINE void philox(const NoiseStream& stream, uint32_t first, uint64_t* pairs) {
  constexpr uint64_t WORD = 0xffffffff;
  constexpr uint64_t LANE[LANES] = {0, 1, 2, 3, 4, 5, 6, 7};
  // Only the low halves count; what the upper ones have of earlier products is never looked at.
  Integers c0 = add(splatInteger(first), load(LANE)), c1 = splatInteger(stream.time);
  Integers c2 = splatInteger(stream.stream), c3 = splatInteger(stream.part);
  uint32_t key0 = stream.key0, key1 = stream.key1;
  for (int round = 0; round < 10; round++) {
    const Integers product0 = multiplyLow(c0, splatInteger(0xd2511f53)), product1 = multiplyLow(c2, splatInteger(0xcd9e8d57));
    c0 = bitXor(bitXor(shiftRight<32>(product1), c1), splatInteger(key0));
    c2 = bitXor(bitXor(shiftRight<32>(product0), c3), splatInteger(key1));
    c1 = product1;
    c3 = product0;
    key0 += 0x9e3779b9;
    key1 += 0xbb67ae85;
  }
  uint64_t left[LANES], right[LANES];
  store(left, bitOr(bitAnd(c0, splatInteger(WORD)), shiftLeft<32>(c1)));
  store(right, bitOr(bitAnd(c2, splatInteger(WORD)), shiftLeft<32>(c3)));
  for (int lane = 0; lane < LANES; lane++) pairs[2 * lane] = left[lane], pairs[2 * lane + 1] = right[lane];
}

/** Fills `out` with the normal numbers of a stream. */
void fillNormal(const NoiseStream& stream, float* out, int64_t size) {
  constexpr int COUNT = BLOCK * LANES;
  for (int64_t i = 0; i < size; i += COUNT) {
    uint64_t pairs[2 * LANES];
    float values[COUNT];
    philox(stream, static_cast<uint32_t>(i / BLOCK), pairs);
    const bool fits = i + COUNT <= size;
    float* const to = fits ? out + i : values;
    transform(pairs, to), transform(pairs + LANES, to + 2 * LANES);
    if (!fits) memcpy(out + i, values, sizeof(float) * (size - i));
  }
}

/** As many normal numbers as words, an even number, before they are rounded to float32. */
void toNormal(const uint32_t* words, double* out, int64_t size) {
  constexpr int COUNT = 2 * LANES;
  for (int64_t i = 0; i < size; i += COUNT) {
    const int64_t count = size - i < COUNT ? size - i : COUNT;
    uint64_t pairs[LANES] = {};
    double values[COUNT];
    memcpy(pairs, words + i, sizeof(uint32_t) * count);
    transform(pairs, values);
    memcpy(out + i, values, sizeof(double) * count);
  }
}
