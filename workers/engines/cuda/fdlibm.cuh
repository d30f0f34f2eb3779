// Logarithms, exponential, cosine and sine of float64 with the bits of shared/fdlibm.ts, which says what they are for.
//
// The algorithms and coefficients are those of fdlibm (e_log.c, e_exp.c, s_log1p.c, e_rem_pio2.c, k_cos.c, k_sin.c):
// Copyright (C) 1993 by Sun Microsystems, Inc. All rights reserved. Developed at SunSoft, a Sun Microsystems, Inc. business.
// Permission to use, copy, modify, and distribute this software is freely granted, provided that this notice is preserved.
#pragma once
#include "device.h"

constexpr double LN2_HIGH = 0x1.62e42feep-1, LN2_LOW = 0x1.a39ef35793c76p-33;
constexpr double L1 = 0x1.5555555555593p-1, L2 = 0x1.999999997fa04p-2, L3 = 0x1.2492494229359p-2, L4 = 0x1.c71c51d8e78afp-3,
                 L5 = 0x1.7466496cb03dep-3, L6 = 0x1.39a09d078c69fp-3, L7 = 0x1.2f112df3e5244p-3;

/** a + x * b */
DEVICE double horner(double a, double x, double b) { return dAdd(a, dMul(x, b)); }
/** 2^k of a normal number. */
DEVICE double twoTo(int k) { return withHigh(0, (u32)(1023 + k) << 20); }

/** Of x from 2^-1022 to 2. */
DEVICE double logarithm(double x) {
  const u32 high = highOf(x), upper = high & 0xfffff;
  const bool isUpper = upper >= 0x6a09c; // x = 2^k (1 + f) with 1 + f between about sqrt(1/2) and sqrt(2)
  const double k = (double)((int)(high >> 20) - 1023 + (isUpper ? 1 : 0));
  const double f = dSub(withHigh(x, upper | (isUpper ? 0x3fe00000 : 0x3ff00000)), 1);
  const double kHigh = dMul(k, LN2_HIGH), kLow = dMul(k, LN2_LOW);
  if (magnitude(f) < 0x1p-20 || f == -0x1p-20) {
    const double r = dMul(dMul(f, f), dSub(0.5, dMul(0x1.5555555555555p-2, f)));
    return dSub(kHigh, dSub(dSub(r, kLow), f));
  }
  const double s = dDiv(f, dAdd(2, f)), z = dMul(s, s), w = dMul(z, z);
  const double r = dAdd(dMul(z, horner(L1, w, horner(L3, w, horner(L5, w, L7)))), dMul(w, horner(L2, w, horner(L4, w, L6))));
  if (upper < 0x6147a || upper >= 0x6b852) return dSub(kHigh, dSub(dSub(dMul(s, dSub(f, r)), kLow), f));
  const double halfSquare = dMul(dMul(0.5, f), f);
  return dSub(kHigh, dSub(dSub(halfSquare, dAdd(dMul(s, dAdd(halfSquare, r)), kLow)), f));
}

/** log(1 + x) of x from 0 to 1, or NaN. */
DEVICE double logarithmOfOneAnd(double x) {
  if (!(x >= 0x1p-29)) return x < 0x1p-54 ? x : dSub(x, dMul(dMul(x, x), 0.5));
  int k = 0;
  double f = x, c = 0;
  u32 upper = 1;
  if (highOf(x) >= 0x3fda827a) {
    const double u = dAdd(1, x);
    const u32 high = highOf(u);
    k = (int)(high >> 20) - 1023;
    c = dDiv(k > 0 ? dSub(1, dSub(u, x)) : dSub(x, dSub(u, 1)), u);
    upper = high & 0xfffff;
    const bool isUpper = upper >= 0x6a09e;
    f = dSub(withHigh(u, upper | (isUpper ? 0x3fe00000 : 0x3ff00000)), 1);
    if (isUpper) k++, upper = (0x100000 - upper) >> 2;
  }
  const double halfSquare = dMul(dMul(0.5, f), f), n = k, low = dAdd(dMul(n, LN2_LOW), c);
  if (upper == 0) {
    if (f == 0) return dAdd(dMul(n, LN2_HIGH), dAdd(c, dMul(n, LN2_LOW)));
    const double r = dMul(halfSquare, dSub(1, dMul(0x1.5555555555555p-1, f)));
    return dSub(dMul(n, LN2_HIGH), dSub(dSub(r, low), f));
  }
  const double s = dDiv(f, dAdd(2, f)), z = dMul(s, s);
  const double r = dMul(z, horner(L1, z, horner(L2, z, horner(L3, z, horner(L4, z, horner(L5, z, horner(L6, z, L7)))))));
  if (k == 0) return dSub(f, dSub(halfSquare, dMul(s, dAdd(halfSquare, r))));
  return dSub(dMul(n, LN2_HIGH), dSub(dSub(halfSquare, dAdd(dMul(s, dAdd(halfSquare, r)), low)), f));
}

/** e^x. */
DEVICE double exponential(double x) {
  if (x != x) return x;
  if (x > 709.782712893384) return dDiv(1, 0);
  if (x < -745.1332191019411) return 0;
  const u32 size = highOf(magnitude(x));
  if (size < 0x3e300000) return dAdd(1, x);
  int k = 0;
  double high = x, low = 0;
  if (size > 0x3fd62e42) {
    if (x == 1) return 0x1.5bf0a8b145769p+1;
    const double half = x < 0 ? -0.5 : 0.5;
    k = size < 0x3ff0a2b2 ? (x < 0 ? -1 : 1) : (int)dAdd(dMul(0x1.71547652b82fep+0, x), half);
    high = dSub(x, dMul(k, LN2_HIGH));
    low = dMul(k, LN2_LOW);
  }
  const double r = dSub(high, low), t = dMul(r, r);
  const double c = dSub(r, dMul(t, horner(0.16666666666666602, t, horner(-0.0027777777777015593, t,
                              horner(6.613756321437934e-5, t, horner(-1.6533902205465252e-6, t, 4.1381367970572385e-8))))));
  if (k == 0) return dSub(1, dSub(dDiv(dMul(r, c), dSub(c, 2)), r));
  const double y = dSub(1, dSub(dSub(low, dDiv(dMul(r, c), dSub(2, c))), high));
  if (k == 1024) return dMul(dMul(y, 2), 0x1p1023);
  return k >= -1021 ? dMul(y, twoTo(k)) : dMul(dMul(y, twoTo(k + 1000)), 0x1p-1000);
}

/** Cosine of what is left of an angle, x + low. */
DEVICE double cosineOf(double x, double low) {
  const double z = dMul(x, x);
  const double r = dMul(z, horner(0.0416666666666666, z, horner(-0.001388888888887411, z, horner(2.480158728947673e-5, z,
                        horner(-2.7557314351390663e-7, z, horner(2.087572321298175e-9, z, -1.1359647557788195e-11))))));
  const double upper = withHigh(0, highOf(magnitude(x)));
  // a part of z/2 that 1 can be lessened by without rounding
  const double part = upper < 0x1.33333p-2 ? 0 : upper > 0.78125 ? 0.28125 : dMul(0.25, upper);
  const double rest = dSub(dMul(0.5, z), part);
  return dSub(dSub(1, part), dSub(rest, dSub(dMul(z, r), dMul(x, low))));
}

/** Sine of what is left of an angle, x + low; isWhole: nothing has been taken off it. */
DEVICE double sineOf(double x, double low, bool isWhole) {
  constexpr double S1 = -0.16666666666666632;
  if (magnitude(x) < 0x1p-27) return x;
  const double z = dMul(x, x), v = dMul(z, x);
  const double r = horner(0.00833333333332249, z, horner(-0.0001984126982985795, z, horner(2.7557313707070068e-6, z,
                          horner(-2.5050760253406863e-8, z, 1.58969099521155e-10))));
  if (isWhole) return dAdd(x, dMul(v, horner(S1, z, r)));
  return dSub(x, dSub(dSub(dMul(z, dSub(dMul(0.5, low), dMul(v, r))), low), dMul(v, S1)));
}

/** Of an angle from 0 to 2 pi. */
DEVICE void cosineAndSine(double angle, double& cosine, double& sine) {
  const bool isWhole = angle < 0x1.921fcp-1; // up to pi/4
  const double n = isWhole ? 0 : roundDown(dAdd(dMul(angle, 0x1.45f306dc9c883p-1), 0.5));
  // pi/2 is a part of 33 bits and a rest, which again is such a part and a rest.
  const double before = dSub(angle, dMul(n, 0x1.921fb544p0));
  double rest = dMul(n, 0x1.0b4611a626331p-34), x = dSub(before, rest), low = dSub(dSub(before, x), rest);
  if (!isWhole && magnitude(x) < 0x1p-17) { // most bits have cancelled
    const double part = dMul(n, 0x1.0b4611a6p-34), after = dSub(before, part);
    rest = dSub(dMul(n, 0x1.3198a2e037073p-69), dSub(dSub(before, after), part));
    x = dSub(after, rest);
    low = dSub(dSub(after, x), rest);
  }
  const double c = cosineOf(x, low), s = sineOf(x, low, isWhole);
  const int quarter = (int)n % 4;
  cosine = quarter == 0 ? c : quarter == 1 ? -s : quarter == 2 ? -c : s;
  sine = quarter == 0 ? s : quarter == 1 ? c : quarter == 2 ? -s : -c;
}
