// The operations of shared/model/ops.ts written as their definitions say, in float64, for small tensors.

const KERNEL = 4;
const STRIDE = 2;

/** Values with a shape. */
export interface Values {
  readonly shape: readonly number[];
  readonly values: Float64Array;
}

export function zeros(...shape: number[]): Values {
  return { shape, values: new Float64Array(shape.reduce((a, b) => a * b, 1)) };
}

function sizes({ shape }: Values): [number, number, number, number] {
  const [a = 1, b = 1, c = 1, d = 1] = shape;
  return [a, b, c, d];
}

/** Index of an element of a tensor of rank 4. */
function at({ shape: [, b = 1, c = 1, d = 1] }: Values, i: number, j: number, k: number, l: number): number {
  return ((i * b + j) * c + k) * d + l;
}

/** Calls `visit` with the indices of every product x * filter -> y that a convolution consists of. */
function eachProduct(
  x: Values,
  filter: Values,
  y: Values,
  padding: number,
  visit: (x: number, filter: number, y: number) => void,
): void {
  const [batch, height, width, outputs] = sizes(y);
  const [, inputHeight, inputWidth, inputs] = sizes(x);
  for (let b = 0; b < batch; b++)
    for (let h = 0; h < height; h++)
      for (let w = 0; w < width; w++)
        for (let kh = 0; kh < KERNEL; kh++)
          for (let kw = 0; kw < KERNEL; kw++) {
            const row = h * STRIDE + kh - padding;
            const column = w * STRIDE + kw - padding;
            if (row < 0 || column < 0 || row >= inputHeight || column >= inputWidth) continue;
            const [from, tap, to] = [at(x, b, row, column, 0), at(filter, kh, kw, 0, 0), at(y, b, h, w, 0)];
            for (let i = 0; i < inputs; i++)
              for (let o = 0; o < outputs; o++) visit(from + i, tap + i * outputs + o, to + o);
          }
}

const get = (values: Float64Array, i: number): number => values[i] ?? Number.NaN;
const addTo = (values: Float64Array, i: number, value: number): void => {
  values[i] = get(values, i) + value;
};

/** y[b,h,w,o] = sum over kernel and inputs of x[b,2h+kh-p,2w+kw-p,i] * filter[kh,kw,i,o]. */
export function convolution(x: Values, filter: Values, padding: number, shape: readonly number[]): Values {
  const y = zeros(...shape);
  eachProduct(x, filter, y, padding, (i, f, o) => addTo(y.values, o, get(x.values, i) * get(filter.values, f)));
  return y;
}

/** The gradient of a convolution by its input: every product the other way. */
export function transposedConvolution(y: Values, filter: Values, padding: number, shape: readonly number[]): Values {
  const x = zeros(...shape);
  eachProduct(x, filter, y, padding, (i, f, o) => addTo(x.values, i, get(y.values, o) * get(filter.values, f)));
  return x;
}

/** The gradient of a convolution by its filter. */
export function filterGradient(x: Values, dy: Values, padding: number, shape: readonly number[]): Values {
  const filter = zeros(...shape);
  eachProduct(x, filter, dy, padding, (i, f, o) => addTo(filter.values, f, get(x.values, i) * get(dy.values, o)));
  return filter;
}

/** Mean and biased variance of every channel (the last axis). */
function moments({ shape, values }: Values): { mean: number; variance: number; count: number }[] {
  const channels = shape.at(-1) ?? 1;
  return Array.from({ length: channels }, (_, channel) => {
    const own = values.filter((_, i) => i % channels === channel);
    const mean = own.reduce((a, b) => a + b, 0) / own.length;
    return { mean, variance: own.reduce((sum, value) => sum + (value - mean) ** 2, 0) / own.length, count: own.length };
  });
}

const EPSILON = 1e-5;

/** y = (x - mean) / sqrt(variance + epsilon) * scale + offset; the mean and the unbiased variance of the batch. */
export function batchNorm(x: Values, scale: Float64Array, offset: Float64Array) {
  const all = moments(x);
  const y = x.values.map((value, i) => {
    const channel = i % all.length;
    const { mean, variance } = all[channel] ?? { mean: Number.NaN, variance: Number.NaN };
    return ((value - mean) / Math.sqrt(variance + EPSILON)) * get(scale, channel) + get(offset, channel);
  });
  return {
    y,
    mean: all.map(({ mean }) => mean),
    variance: all.map(({ variance, count }) => (variance * count) / (count - 1)),
  };
}

/** With n = (x - mean) / sqrt(variance + epsilon): dScale = sum(dy n), dOffset = sum(dy), dx by the chain rule. */
export function batchNormGradient(x: Values, scale: Float64Array, dy: Float64Array) {
  const all = moments(x);
  const deviation = (channel: number) => Math.sqrt((all[channel]?.variance ?? Number.NaN) + EPSILON);
  const normal = x.values.map((value, i) => (value - (all[i % all.length]?.mean ?? 0)) / deviation(i % all.length));
  const sum = (channel: number, term: (i: number) => number): number =>
    x.values.reduce((total, _, i) => (i % all.length === channel ? total + term(i) : total), 0);
  const dOffset = all.map((_, channel) => sum(channel, (i) => get(dy, i)));
  const dScale = all.map((_, channel) => sum(channel, (i) => get(dy, i) * get(normal, i)));
  const dx = x.values.map((_, i) => {
    const channel = i % all.length;
    const count = all[channel]?.count ?? Number.NaN;
    const centred = get(dy, i) - (dOffset[channel] ?? 0) / count - (get(normal, i) * (dScale[channel] ?? 0)) / count;
    return (get(scale, channel) / deviation(channel)) * centred;
  });
  return { dx, dScale, dOffset };
}

/** Product of matrices [n, k] and [k, m]. */
export function matMul(a: Values, b: Values): Float64Array {
  const [n, k] = sizes(a);
  const [, m] = sizes(b);
  return Float64Array.from({ length: n * m }, (_, i) => {
    let sum = 0;
    for (let j = 0; j < k; j++) sum += get(a.values, Math.floor(i / m) * k + j) * get(b.values, j * m + (i % m));
    return sum;
  });
}

/** The matrix [n, m] as [m, n]. */
export function transposed(a: Values): Values {
  const [n, m] = sizes(a);
  const values = Float64Array.from({ length: n * m }, (_, i) => get(a.values, (i % n) * m + Math.floor(i / n)));
  return { shape: [m, n], values };
}
