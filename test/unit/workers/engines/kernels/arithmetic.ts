// docs/arithmetic.md as plain JavaScript: every kernel of a plan as the chains of roundings that the page describes, written for reading. An
// engine that follows the page gives these bits. Convolutions are in arithmetic-convolutions.ts.

export const f = Math.fround;
const double = new Float64Array(1);
const bits = new BigInt64Array(double.buffer);

/** a * b + c of float32, rounded once: the product is exact in float64, and the sum is rounded to odd before it becomes float32. */
export function fma(a: number, b: number, c: number): number {
  const product = a * b;
  const sum = product + c;
  const part = sum - product;
  const lost = product - (sum - part) + (c - part);
  if (lost === 0 || !Number.isFinite(sum)) return f(sum);
  double[0] = sum;
  if (((bits[0] ?? 0n) & 1n) === 0n) bits[0] = (bits[0] ?? 0n) + (lost > 0 === sum > 0 ? 1n : -1n);
  return f(double[0]);
}

export const at = (values: ArrayLike<number>, i: number): number => values[i] ?? 0;

/** A chain of products from +0: acc = fma(a(k), b(k), acc). */
export function chain(count: number, a: (k: number) => number, b: (k: number) => number): number {
  let sum = 0;
  for (let k = 0; k < count; k++) sum = fma(a(k), b(k), sum);
  return sum;
}

/** Sums over pixels: float32 within 64, float64 within 16 of these, and over those. */
function sumPixels(pixels: number, add: (pixel: number, sum: number) => number): number {
  const chunks = Array.from({ length: Math.ceil(pixels / 64) }, (_, chunk) => {
    const [first, last] = [chunk * 64, Math.min(chunk * 64 + 64, pixels)];
    const partial: [number, number, number, number] = [0, 0, 0, 0];
    for (let p = first; p < last; p++) {
      const lane = p < last - ((last - first) % 4) ? (p - first) % 4 : 0;
      partial[lane] = add(p, partial[lane] ?? 0);
    }
    return f(f(partial[0] + partial[1]) + f(partial[2] + partial[3]));
  });
  let sum = 0;
  for (let i = 0; i < chunks.length; i += 16) sum += chunks.slice(i, i + 16).reduce((some, chunk) => some + chunk, 0);
  return sum;
}

const activate = (v: number, slope: number): number => (v > 0 ? v : fma(v, slope, 0));
const through = (dy: number, y: number, slope: number): number => (y > 0 ? dy : fma(dy, slope, 0));

interface Norm {
  readonly y: Float32Array;
  readonly mean: Float32Array;
  readonly variance: Float32Array;
  readonly inverse: Float32Array;
}

/** x [pixels, C]. */
export function normalise(
  x: ArrayLike<number>,
  weight: ArrayLike<number>,
  bias: ArrayLike<number>,
  slope: number,
  pixels: number,
  C: number,
): Norm {
  const vector = (): Float32Array => new Float32Array(C);
  const norm = { y: new Float32Array(pixels * C), mean: vector(), variance: vector(), inverse: vector() };
  for (let c = 0; c < C; c++) {
    const v = (p: number): number => f(at(x, p * C + c) - at(x, c));
    const distance = sumPixels(pixels, (p, sum) => f(sum + v(p))) / pixels;
    const mean = at(x, c) + distance;
    const squares = sumPixels(pixels, (p, sum) => fma(v(p), v(p), sum)) / pixels - distance * distance;
    const variance = squares > 0 ? squares : 0;
    const inverse = 1 / Math.sqrt(variance + 1e-5);
    const factor = at(weight, c) * inverse;
    norm.mean[c] = mean;
    norm.variance[c] = pixels > 1 ? (variance * pixels) / (pixels - 1) : variance;
    norm.inverse[c] = inverse;
    const [factor32, shift32] = [f(factor), f(at(bias, c) - mean * factor)];
    for (let p = 0; p < pixels; p++) norm.y[p * C + c] = activate(fma(at(x, p * C + c), factor32, shift32), slope);
  }
  return norm;
}

/** dy and y are those of the activation after the BatchNorm. */
export function normaliseGradient(
  {
    dy,
    y,
    x,
    weight,
    mean,
    inverse,
  }: Readonly<Record<'dy' | 'y' | 'x' | 'weight' | 'mean' | 'inverse', ArrayLike<number>>>,
  slope: number,
  pixels: number,
  C: number,
): { dx: Float32Array; dWeight: Float32Array; dBias: Float32Array } {
  const [dx, dWeight, dBias] = [new Float32Array(pixels * C), new Float32Array(C), new Float32Array(C)];
  for (let c = 0; c < C; c++) {
    const d = (p: number): number => through(at(dy, p * C + c), at(y, p * C + c), slope);
    const sum = sumPixels(pixels, (p, total) => f(total + d(p)));
    const products = sumPixels(pixels, (p, total) => fma(d(p), f(at(x, p * C + c) - at(mean, c)), total));
    const i = at(inverse, c);
    const factor = at(weight, c) * i;
    const steep = (products / pixels) * i * i;
    dBias[c] = sum;
    dWeight[c] = products * i;
    const [a, b, shift] = [f(factor), f(-factor * steep), f(factor * (steep * at(mean, c) - sum / pixels))];
    for (let p = 0; p < pixels; p++) dx[p * C + c] = fma(d(p), a, fma(at(x, p * C + c), b, shift));
  }
  return { dx, dWeight, dBias };
}

/** Gradient of a bias through its activation. */
export function biasGradient(
  dy: ArrayLike<number>,
  y: ArrayLike<number>,
  slope: number,
  pixels: number,
  C: number,
): Float32Array {
  return Float32Array.from({ length: C }, (_, c) =>
    sumPixels(pixels, (p, sum) => f(sum + through(at(dy, p * C + c), at(y, p * C + c), slope))),
  );
}

/** Element (m, n) of a product: a chain over k. */
export function multiply(
  a: (m: number, k: number) => number,
  b: (k: number, n: number) => number,
  M: number,
  K: number,
  N: number,
): Float32Array {
  return Float32Array.from({ length: M * N }, (_, place) => {
    const [m, n] = [Math.floor(place / N), place % N];
    return chain(
      K,
      (k) => a(m, k),
      (k) => b(k, n),
    );
  });
}

/** a [M, K] by x [K]: sixteen chains by k mod 16, added up in float64, then the rest of K in float64. */
export function multiplyVector(a: ArrayLike<number>, x: ArrayLike<number>, M: number, K: number): Float32Array {
  const whole = K - (K % 16);
  return Float32Array.from({ length: M }, (_, m) => {
    let sum = 0;
    for (let lane = 0; lane < 16; lane++)
      sum += chain(
        whole / 16,
        (k) => at(a, m * K + k * 16 + lane),
        (k) => at(x, k * 16 + lane),
      );
    for (let k = whole; k < K; k++) sum += at(a, m * K + k) * at(x, k);
    return sum;
  });
}

function exponential(x: number): number {
  const limited = x < -87 ? -87 : x > 88 ? 88 : x;
  const product = f(limited * f(Math.LOG2E));
  const n = Number.isNaN(product) ? product : roundEven(product);
  const r = fma(n, f(2.1219444e-4), fma(n, -0.693359375, limited));
  let p = f(1.98756915e-4);
  for (const c of [1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1])
    p = fma(p, r, f(c));
  return f(f(fma(p, f(r * r), r) + 1) * 2 ** n);
}

function roundEven(x: number): number {
  const down = Math.floor(x);
  if (x - down !== 0.5) return Math.round(x);
  return down % 2 === 0 ? down : down + 1;
}

export function sigmoid(x: number): number {
  return f(1 / f(1 + exponential(f(0 - x))));
}

export function tanh(x: number): number {
  const [size, z] = [Math.abs(x), f(x * x)];
  let p = f(-5.70498872745e-3);
  for (const c of [2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1]) p = fma(p, z, f(c));
  const near = fma(f(p * z), x, x);
  const far = f(1 - f(2 / f(exponential(f(size + size)) + 1)));
  return size < 0.625 ? near : x > 0 ? far : f(0 - far);
}
