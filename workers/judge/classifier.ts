// The classifier whose features images are judged by: a small convolutional net that make_classifier.py has trained on MNIST's training
// images. Plain float64 arithmetic in one order, so that an image has the same features on every machine, whatever has drawn it.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { GanglionError } from '../../shared/error.ts';
import { exp } from '../../shared/fdlibm.ts';
import { decodeSafetensors, toFloat32 } from '../../shared/safetensors.ts';

/** Values of a feature vector. */
export const FEATURES = 64;
/** Digits 0 to 9. */
export const CLASSES = 10;
/** Pixels along a side of the images that it knows. */
export const SIDE = 28;

/** Beside its script; the package has it there, too. */
const WEIGHTS = fileURLToPath(
  new URL(
    import.meta.url.endsWith('.ts') ? 'classifier.safetensors' : '../../../workers/judge/classifier.safetensors',
    import.meta.url,
  ),
);

/** Output channels that are added up at once, in registers. */
const LANES = 8;

/** An affine map of patches: out[o] = bias[o] + sum over k of weights[k, o] * patch[k], k in order. */
interface Affine {
  readonly outputs: number;
  /** [ceil(outputs / 8), patch, 8]. */
  readonly weights: Float64Array;
  readonly bias: Float64Array;
  readonly patch: number;
}

interface Convolution extends Affine {
  readonly side: number;
  readonly channels: number;
  readonly kernel: number;
  readonly margin: number;
}

const STRIDE = 2;

/** What the classifier says of an image. */
export interface Judged {
  /** Features of every image, [count, 64]. */
  readonly features: Float32Array;
  /** Most probable digit of every image, and its probability. */
  readonly classes: Uint8Array;
  readonly confidences: Float64Array;
}

export class Classifier {
  /** SHA-256 of its file. */
  readonly sha256: string;
  readonly #convolutions: readonly Convolution[];
  readonly #features: Affine;
  readonly #logits: Affine;

  /** @throws GanglionError `environment` when its weights cannot be read */
  constructor() {
    let bytes: Buffer;
    try {
      bytes = readFileSync(WEIGHTS);
    } catch (cause) {
      throw new GanglionError('environment', `cannot read ${WEIGHTS}`, { cause });
    }
    this.sha256 = createHash('sha256').update(bytes).digest('hex');
    const { tensors } = decodeSafetensors(bytes, WEIGHTS);
    const read = (name: string): Float32Array => {
      const tensor = tensors.get(name);
      if (!tensor) throw new Error(`${WEIGHTS}: expected a tensor ${name}`);
      return toFloat32(tensor);
    };
    const affine = (name: string, toOrder: (k: number) => number = (k) => k): Affine =>
      toAffine(read(`${name}.weight`), read(`${name}.bias`), toOrder);
    const convolution = (name: string, side: number, channels: number, kernel: number): Convolution => {
      // PyTorch: [out, in, y, x]; a patch here: [y, x, in].
      const map = affine(name, (k) => (k % channels) * kernel * kernel + Math.floor(k / channels));
      return { ...map, side, channels, kernel, margin: (kernel - 1) / 2 };
    };
    this.#convolutions = [
      convolution('conv1', 28, 1, 5),
      convolution('conv2', 14, 8, 3),
      convolution('conv3', 7, 16, 3),
    ];
    // PyTorch flattens [32, 4, 4]; here values lie as [4, 4, 32].
    this.#features = affine('features', (k) => (k % 32) * 16 + Math.floor(k / 32));
    this.#logits = affine('logits');
  }

  /** Features and most probable digits of images, uint8 [28, 28] each. */
  judge(images: readonly Uint8Array[]): Judged {
    const count = images.length;
    const judged = {
      features: new Float32Array(count * FEATURES),
      classes: new Uint8Array(count),
      confidences: new Float64Array(count),
    };
    const features = new Float64Array(FEATURES);
    const logits = new Float64Array(2 * LANES);
    const pixels = new Float64Array(SIDE * SIDE);
    for (const [i, image] of images.entries()) {
      for (let p = 0; p < pixels.length; p++) pixels[p] = (image[p] as number) / 255;
      let values: Float64Array = pixels;
      for (const layer of this.#convolutions) values = convolve(layer, values);
      applyAffine(this.#features, values, features, 0);
      judged.features.set(features, i * FEATURES);
      applyAffine(this.#logits, features, logits, 0);
      const scores = logits.subarray(0, CLASSES);
      const best = scores.reduce((top, score, digit) => (score > (scores[top] as number) ? digit : top), 0);
      const total = scores.reduce((sum, score) => sum + exp(score - (scores[best] as number)), 0);
      judged.classes[i] = best;
      judged.confidences[i] = 1 / total;
    }
    return judged;
  }
}

const relu = (x: number): number => (x > 0 ? x : 0);

/** @param toOrder place in PyTorch's row of weights of value k of a patch */
function toAffine(weights: Float32Array, bias: Float32Array, toOrder: (k: number) => number): Affine {
  const outputs = bias.length;
  const patch = weights.length / outputs;
  const blocks = Math.ceil(outputs / LANES);
  const ordered = new Float64Array(blocks * patch * LANES);
  for (let o = 0; o < outputs; o++) {
    for (let k = 0; k < patch; k++) {
      const at = (Math.floor(o / LANES) * patch + k) * LANES + (o % LANES);
      ordered[at] = weights[o * patch + toOrder(k)] as number;
    }
  }
  const padded = new Float64Array(blocks * LANES);
  padded.set(bias);
  return { outputs, weights: ordered, bias: padded, patch };
}

/** Places and values of what is not 0 in a patch: zeros add nothing, and most of a digit is black. */
const places = new Int32Array(SIDE * SIDE);
const found = new Float64Array(SIDE * SIDE);

/** Writes the outputs of one patch to `out` from `at` on, in whole eights. */
function applyAffine(layer: Affine, values: Float64Array, out: Float64Array, at: number): void {
  let count = 0;
  for (let k = 0; k < layer.patch; k++) {
    const value = values[k] as number;
    if (value === 0) continue;
    places[count] = k * LANES;
    found[count++] = value;
  }
  addFound(layer, count, out, at);
}

function addFound({ weights, bias, patch, outputs }: Affine, count: number, out: Float64Array, at: number): void {
  for (let o = 0; o < outputs; o += LANES) {
    const base = o * patch;
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
}

/** A convolution of stride 2 and ReLU: values [side, side, channels] to [ceil(side / 2), ceil(side / 2), outputs]. */
function convolve(layer: Convolution, values: Float64Array): Float64Array {
  const { side, channels, kernel, margin, outputs } = layer;
  const outSide = Math.ceil(side / STRIDE);
  const out = new Float64Array(outSide * outSide * outputs);
  for (let oy = 0; oy < outSide; oy++) {
    for (let ox = 0; ox < outSide; ox++) {
      let count = 0;
      for (let ky = 0; ky < kernel; ky++) {
        const y = oy * STRIDE - margin + ky;
        if (y < 0 || y >= side) continue;
        for (let kx = 0; kx < kernel; kx++) {
          const x = ox * STRIDE - margin + kx;
          if (x < 0 || x >= side) continue;
          for (let c = 0; c < channels; c++) {
            const value = values[(y * side + x) * channels + c] as number;
            if (value === 0) continue;
            places[count] = ((ky * kernel + kx) * channels + c) * LANES;
            found[count++] = value;
          }
        }
      }
      addFound(layer, count, out, (oy * outSide + ox) * outputs);
    }
  }
  for (let i = 0; i < out.length; i++) out[i] = relu(out[i] as number);
  return out;
}
