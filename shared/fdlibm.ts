// Logarithm, cosine, sine and exponential of float64, as Ganglion's arithmetic has them (docs/arithmetic.md): sums, products and quotients, each
// rounded once, so that no JavaScript engine has a say. They are fdlibm's, with the ranges that noise and losses need; kernels of noise
// have the same bits (workers/engines/kernels/noise.h).
//
// The algorithms and coefficients are those of fdlibm (e_log.c, e_exp.c, s_log1p.c, e_rem_pio2.c, k_cos.c, k_sin.c):
// Copyright (C) 1993 by Sun Microsystems, Inc. All rights reserved. Developed at SunSoft, a Sun Microsystems, Inc. business.
// Permission to use, copy, modify, and distribute this software is freely granted, provided that this notice is preserved.

const LN2_HIGH = 0.6931471803691238;
const LN2_LOW = 1.9082149292705877e-10;
/** Coefficients of both logarithms, from the first power of z = s^2 on. */
const [L1, L2, L3, L4, L5, L6, L7] = [
  0.6666666666666735, 0.3999999999940942, 0.2857142874366239, 0.22222198432149784, 0.1818357216161805,
  0.15313837699209373, 0.14798198605116586,
] as const;

const double = new Float64Array(1);
const words = new Uint32Array(double.buffer);

/** Upper 32 bits. */
function highOf(x: number): number {
  double[0] = x;
  return words[1] as number;
}

/** A number with other upper 32 bits. */
function withHigh(x: number, high: number): number {
  double[0] = x;
  words[1] = high;
  return double[0];
}

/** Natural logarithm. @param x from 2^-1022 to 2 */
export function log(x: number): number {
  const high = highOf(x);
  const upper = high & 0xfffff;
  // x = 2^k (1 + f) with 1 + f between about sqrt(1/2) and sqrt(2)
  const isUpper = upper >= 0x6a09c;
  const k = (high >>> 20) - 1023 + (isUpper ? 1 : 0);
  const f = withHigh(x, upper | (isUpper ? 0x3fe00000 : 0x3ff00000)) - 1;
  const [kHigh, kLow] = [k * LN2_HIGH, k * LN2_LOW];
  if (Math.abs(f) < 2 ** -20 || f === -(2 ** -20)) {
    const r = f * f * (0.5 - 0.3333333333333333 * f);
    return kHigh - (r - kLow - f);
  }
  const s = f / (2 + f);
  const z = s * s;
  const w = z * z;
  const r = z * (L1 + w * (L3 + w * (L5 + w * L7))) + w * (L2 + w * (L4 + w * L6));
  if (upper < 0x6147a || upper >= 0x6b852) return kHigh - (s * (f - r) - kLow - f);
  const halfSquare = 0.5 * f * f;
  return kHigh - (halfSquare - (s * (halfSquare + r) + kLow) - f);
}

/** log(1 + x). @param x from 0 to 1, or NaN */
export function log1p(x: number): number {
  if (!(x >= 2 ** -29)) return x < 2 ** -54 ? x : x - x * x * 0.5;
  let [k, f, c, upper] = [0, x, 0, 1];
  if (highOf(x) >= 0x3fda827a) {
    const u = 1 + x;
    const high = highOf(u);
    k = (high >>> 20) - 1023;
    c = (k > 0 ? 1 - (u - x) : x - (u - 1)) / u;
    upper = high & 0xfffff;
    const isUpper = upper >= 0x6a09e;
    f = withHigh(u, upper | (isUpper ? 0x3fe00000 : 0x3ff00000)) - 1;
    if (isUpper) [k, upper] = [k + 1, (0x100000 - upper) >> 2];
  }
  const halfSquare = 0.5 * f * f;
  if (upper === 0) {
    if (f === 0) return k * LN2_HIGH + (c + k * LN2_LOW);
    const r = halfSquare * (1 - 0.6666666666666666 * f);
    return k * LN2_HIGH - (r - (k * LN2_LOW + c) - f);
  }
  const s = f / (2 + f);
  const z = s * s;
  const r = z * (L1 + z * (L2 + z * (L3 + z * (L4 + z * (L5 + z * (L6 + z * L7))))));
  if (k === 0) return f - (halfSquare - s * (halfSquare + r));
  return k * LN2_HIGH - (halfSquare - (s * (halfSquare + r) + (k * LN2_LOW + c)) - f);
}

/** e^x. */
export function exp(x: number): number {
  if (Number.isNaN(x)) return x;
  if (x > 709.782712893384) return Number.POSITIVE_INFINITY;
  if (x < -745.1332191019411) return 0;
  const size = highOf(Math.abs(x));
  if (size < 0x3e300000) return 1 + x;
  let [k, high, low] = [0, x, 0];
  if (size > 0x3fd62e42) {
    if (x === 1) return Math.E;
    const half = x < 0 ? -0.5 : 0.5;
    k = size < 0x3ff0a2b2 ? 2 * half : Math.trunc(Math.LOG2E * x + half);
    high = x - k * LN2_HIGH;
    low = k * LN2_LOW;
  }
  const r = high - low;
  const t = r * r;
  const c =
    r -
    t *
      (0.16666666666666602 +
        t *
          (-0.0027777777777015593 +
            t * (6.613756321437934e-5 + t * (-1.6533902205465252e-6 + t * 4.1381367970572385e-8))));
  if (k === 0) return 1 - ((r * c) / (c - 2) - r);
  const y = 1 - (low - (r * c) / (2 - c) - high);
  if (k === 1024) return y * 2 * 2 ** 1023;
  return k >= -1021 ? y * 2 ** k : y * 2 ** (k + 1000) * 2 ** -1000;
}

/** Cosine of what is left of an angle, `x` + `low`. */
function cosineOf(x: number, low: number): number {
  const z = x * x;
  const r =
    z *
    (0.0416666666666666 +
      z *
        (-0.001388888888887411 +
          z *
            (2.480158728947673e-5 +
              z * (-2.7557314351390663e-7 + z * (2.087572321298175e-9 + z * -1.1359647557788195e-11)))));
  const upper = withHigh(0, highOf(Math.abs(x)));
  // a part of z/2 that 1 can be lessened by without rounding
  const part = upper < 0x133333 * 2 ** -22 ? 0 : upper > 0.78125 ? 0.28125 : 0.25 * upper;
  const rest = 0.5 * z - part;
  return 1 - part - (rest - (z * r - x * low));
}

/** Sine of what is left of an angle, `x` + `low`. @param isWhole whether nothing has been taken off it */
function sineOf(x: number, low: number, isWhole: boolean): number {
  if (Math.abs(x) < 2 ** -27) return x;
  const z = x * x;
  const v = z * x;
  const r =
    0.00833333333332249 +
    z *
      (-0.0001984126982985795 + z * (2.7557313707070068e-6 + z * (-2.5050760253406863e-8 + z * 1.58969099521155e-10)));
  if (isWhole) return x + v * (-0.16666666666666632 + z * r);
  return x - (z * (0.5 * low - v * r) - low - v * -0.16666666666666632);
}

/** Cosine and sine. @param angle from 0 to 2 pi */
export function cosineAndSine(angle: number): [cosine: number, sine: number] {
  const isWhole = angle < 0x1921fc * 2 ** -21; // up to pi/4
  const n = isWhole ? 0 : Math.floor(angle * 0.6366197723675814 + 0.5);
  // pi/2 is a part of 33 bits and a rest, which again is such a part and a rest.
  const before = angle - n * 1.5707963267341256;
  let rest = n * 6.077100506506192e-11;
  let x = before - rest;
  let low = before - x - rest;
  if (!isWhole && Math.abs(x) < 2 ** -17) {
    // most bits have cancelled
    const part = n * 6.077100506303966e-11;
    const after = before - part;
    rest = n * 2.0222662487959506e-21 - (before - after - part);
    x = after - rest;
    low = after - x - rest;
  }
  const cosine = cosineOf(x, low);
  const sine = sineOf(x, low, isWhole);
  switch (n % 4) {
    case 0:
      return [cosine, sine];
    case 1:
      return [-sine, cosine];
    case 2:
      return [-cosine, -sine];
    default:
      return [sine, -cosine];
  }
}
