// The layers of the classifier: affine maps of patches, in plain float64 arithmetic in one order. Compiled kernels have the same bits
// (workers/engines/kernels/patches.h) and take a fifth of the time.

/** Outputs that are added up together, in registers. */
export const LANES = 8;

/** Pixels from one patch to the next. */
const STRIDE = 2;

/** A convolution of stride 2 from [side, side, channels] to [outSide, outSide, outputs]. */
export interface LayerShape {
  readonly side: number;
  readonly channels: number;
  readonly kernel: number;
  /** Zeros round the image. */
  readonly margin: number;
  readonly outSide: number;
  /** A multiple of {@link LANES}. */
  readonly outputs: number;
  /** Whether what is negative becomes 0. */
  readonly isRectified: boolean;
}

/**
 * out[y, x, o] = bias[o] + sum over k of weights[o, k] * patch[k], k in order, zeros left out.
 *
 * @param shape the numbers of a {@link LayerShape}, in order
 * @param weights [outputs / 8, patch, 8]; a patch is [y, x, channel]
 */
export type PatchKernel = (
  shape: Int32Array,
  weights: Float64Array,
  bias: Float64Array,
  values: Float64Array,
  out: Float64Array,
) => void;

/** Most values of a patch; also that of step.h. */
const MOST_PATCH = 512;

/** Places and values of what is not 0 in a patch: zeros add nothing, and most of a digit is black. */
const places = new Int32Array(MOST_PATCH);
const found = new Float64Array(MOST_PATCH);

export const convolvePatches: PatchKernel = (shape, weights, bias, values, out) => {
  const [side = 0, channels = 0, kernel = 0, margin = 0, outSide = 0, outputs = 0, isRectified = 0] = shape;
  const patch = kernel * kernel * channels;
  if (patch > MOST_PATCH) throw new Error(`a patch of ${patch} values: expected at most ${MOST_PATCH}`);
  for (let at = 0; at < outSide * outSide; at++) {
    const [top, left] = [Math.floor(at / outSide) * STRIDE - margin, (at % outSide) * STRIDE - margin];
    let count = 0;
    for (let ky = Math.max(0, -top); ky < kernel && top + ky < side; ky++) {
      for (let kx = Math.max(0, -left); kx < kernel && left + kx < side; kx++) {
        const from = ((top + ky) * side + left + kx) * channels;
        const place = (ky * kernel + kx) * channels;
        for (let c = 0; c < channels; c++) {
          const value = values[from + c] as number;
          if (value === 0) continue;
          places[count] = (place + c) * LANES;
          found[count++] = value;
        }
      }
    }
    for (let o = 0; o < outputs; o += LANES) addFound(count, weights, o * patch, bias, out, at * outputs, o);
  }
  if (isRectified) {
    for (let i = 0; i < out.length; i++) if (!((out[i] as number) > 0)) out[i] = 0;
  }
};

/** Eight outputs of a patch. */
function addFound(
  count: number,
  weights: Float64Array,
  base: number,
  bias: Float64Array,
  out: Float64Array,
  at: number,
  o: number,
): void {
  let [s0, s1, s2, s3] = [bias[o] as number, bias[o + 1] as number, bias[o + 2] as number, bias[o + 3] as number];
  let [s4, s5, s6, s7] = [bias[o + 4] as number, bias[o + 5] as number, bias[o + 6] as number, bias[o + 7] as number];
  for (let k = 0; k < count; k++) {
    const value = found[k] as number;
    const w = base + (places[k] as number);
    s0 += value * (weights[w] as number);
    s1 += value * (weights[w + 1] as number);
    s2 += value * (weights[w + 2] as number);
    s3 += value * (weights[w + 3] as number);
    s4 += value * (weights[w + 4] as number);
    s5 += value * (weights[w + 5] as number);
    s6 += value * (weights[w + 6] as number);
    s7 += value * (weights[w + 7] as number);
  }
  out[at + o] = s0;
  out[at + o + 1] = s1;
  out[at + o + 2] = s2;
  out[at + o + 3] = s3;
  out[at + o + 4] = s4;
  out[at + o + 5] = s5;
  out[at + o + 6] = s6;
  out[at + o + 7] = s7;
}
