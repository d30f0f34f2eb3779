// The classifier whose features images are judged by: a small convolutional net that make_classifier.py has trained on MNIST's training
// images. Plain float64 arithmetic in one order, so that an image has the same features on every machine, whatever has drawn it.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { GanglionError } from '../../shared/error.ts';
import { exp } from '../../shared/fdlibm.ts';
import { decodeSafetensors, toFloat32 } from '../../shared/safetensors.ts';
import { convolvePatches, LANES, type LayerShape, type PatchKernel } from './patches.ts';

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
  readonly #layers: readonly Layer[];
  readonly #convolve: PatchKernel;

  /**
   * @param convolve computes the layers
   * @throws GanglionError `environment` when its weights cannot be read
   */
  constructor(convolve: PatchKernel = convolvePatches) {
    this.#convolve = convolve;
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
    const layer = (name: string, shape: Omit<LayerShape, 'outputs'>): Layer =>
      toLayer(read(`${name}.weight`), read(`${name}.bias`), shape);
    this.#layers = [
      layer('conv1', { side: 28, channels: 1, kernel: 5, margin: 2, outSide: 14, isRectified: true }),
      layer('conv2', { side: 14, channels: 8, kernel: 3, margin: 1, outSide: 7, isRectified: true }),
      layer('conv3', { side: 7, channels: 16, kernel: 3, margin: 1, outSide: 4, isRectified: true }),
      layer('features', { side: 4, channels: 32, kernel: 4, margin: 0, outSide: 1, isRectified: false }),
      layer('logits', { side: 1, channels: FEATURES, kernel: 1, margin: 0, outSide: 1, isRectified: false }),
    ];
  }

  /** Features and most probable digits of images, uint8 [28, 28] each. */
  judge(images: readonly Uint8Array[]): Judged {
    const count = images.length;
    const judged = {
      features: new Float32Array(count * FEATURES),
      classes: new Uint8Array(count),
      confidences: new Float64Array(count),
    };
    const pixels = new Float64Array(SIDE * SIDE);
    for (const [i, image] of images.entries()) {
      for (let p = 0; p < pixels.length; p++) pixels[p] = (image[p] as number) / 255;
      let values: Float64Array = pixels;
      let logits: Float64Array = pixels;
      for (const { shape, weights, bias, out } of this.#layers) {
        this.#convolve(shape, weights, bias, logits, out);
        values = logits;
        logits = out;
      }
      judged.features.set(values, i * FEATURES);
      const scores = logits.subarray(0, CLASSES);
      const best = scores.reduce((top, score, digit) => (score > (scores[top] as number) ? digit : top), 0);
      const total = scores.reduce((sum, score) => sum + exp(score - (scores[best] as number)), 0);
      judged.classes[i] = best;
      judged.confidences[i] = 1 / total;
    }
    return judged;
  }
}

/** A layer, ready to be computed. */
interface Layer {
  readonly shape: Int32Array;
  readonly weights: Float64Array;
  readonly bias: Float64Array;
  /** Its result of one image. */
  readonly out: Float64Array;
}

function toLayer(weights: Float32Array, bias: Float32Array, shape: Omit<LayerShape, 'outputs'>): Layer {
  const { side, channels, kernel, margin, outSide, isRectified } = shape;
  const patch = kernel * kernel * channels;
  const outputs = Math.ceil(bias.length / LANES) * LANES;
  const ordered = new Float64Array(outputs * patch);
  for (let o = 0; o < bias.length; o++) {
    for (let k = 0; k < patch; k++) {
      // PyTorch: [out, in, y, x], also what it has flattened; a patch here: [y, x, in].
      const value = weights[o * patch + (k % channels) * kernel * kernel + Math.floor(k / channels)];
      ordered[(Math.floor(o / LANES) * patch + k) * LANES + (o % LANES)] = value as number;
    }
  }
  const padded = new Float64Array(outputs);
  padded.set(bias);
  return {
    shape: Int32Array.of(side, channels, kernel, margin, outSide, outputs, Number(isRectified)),
    weights: ordered,
    bias: padded,
    out: new Float64Array(outSide * outSide * outputs),
  };
}
