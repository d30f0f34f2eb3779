// What the judge knows of real images: computed once, and kept in the cache folder by the classifier, the data and the count.

import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ImageSet, RealImages } from '../../shared/evaluation.ts';
import { sizeOf } from '../../shared/model/shape.ts';
import { viewsOf } from '../../shared/pixels.ts';
import { decodeSafetensors, encodeSafetensors, type StoredTensor, toBytes } from '../../shared/safetensors.ts';
import { readCacheFile } from '../build/cache-file.ts';
import { checkTrusted } from '../build/trusted-path.ts';
import { CLASSES, type Classifier, FEATURES, type Judged } from './classifier.ts';
import { frechetDistance, type Moments, momentsOf } from './frechet.ts';
import { type Manifold, toManifold } from './manifold.ts';
import { toJudged } from './reduce.ts';

/** Raised when what the files hold changes. */
const LAYOUT_VERSION = 1;
/** Of a kept file: 8 bytes a feature of 65,536 images at most, and some. */
const MOST_BYTES = 2 ** 26;
/** Share of the labels that the classifier must name for these to be digits. */
const LEAST_AGREEMENT = 0.9;

/** What drawn images are compared with. */
export interface Reference {
  /** Of all real images of the reference. */
  readonly moments: Moments;
  /** Of the first `count` of them, or of all, if they are fewer. */
  readonly manifold: Manifold;
  /** Share of every digit; null where the labels are not those of digits. */
  readonly shares: Float64Array | null;
  readonly floor: number;
  readonly floorCount: number;
}

/** @param count images that will be drawn */
export function computeReference(classifier: Classifier, real: RealImages, count: number): Reference {
  const size = sizeOf(real.shape);
  const judge = ({ images, indices }: ImageSet, from: number, to?: number): Judged =>
    classifier.judge(viewsOf(images, indices.subarray(from, to), size).map((image) => toJudged(image, real.shape)));
  const all = judge(real.reference, 0);
  const moments = momentsOf(all.features, FEATURES);
  const total = real.reference.indices.length;
  const manifold = toManifold(all.features.subarray(0, Math.min(count, total) * FEATURES), FEATURES);
  const shares = isOfDigits(all.classes, real.labels) ? sharesOf(all.classes) : null;
  const spare = real.others.indices.length;
  if (spare >= count) {
    const others = momentsOf(judge(real.others, 0, count).features, FEATURES);
    return { moments, manifold, shares, floor: frechetDistance(others, moments), floorCount: count };
  }
  const cut = Math.min(count, Math.floor(total / 2));
  const parts = [all.features.subarray(0, cut * FEATURES), all.features.subarray(cut * FEATURES)] as const;
  const floor = frechetDistance(momentsOf(parts[0], FEATURES), momentsOf(parts[1], FEATURES));
  return { moments, manifold, shares, floor, floorCount: cut };
}

/** Whether the labels mean the digits that the classifier knows. */
function isOfDigits(classes: Uint8Array, labels: ArrayLike<number> | null): boolean {
  if (labels === null) return false;
  const same = classes.reduce((sum, digit, i) => sum + (digit === labels[i] ? 1 : 0), 0);
  return same >= LEAST_AGREEMENT * classes.length;
}

/** Share of every digit among the images, [10]. */
export function sharesOf(classes: Uint8Array): Float64Array {
  const shares = new Float64Array(CLASSES);
  for (const digit of classes) shares[digit] = (shares[digit] as number) + 1;
  return shares.map((number) => number / classes.length);
}

/**
 * As {@link computeReference}, from the cache where it is there. A cache that cannot be read or written, or that others may write, costs
 * time, nothing else.
 *
 * @param folder cache folder of Ganglion
 */
export function cachedReference(classifier: Classifier, real: RealImages, count: number, folder: string): Reference {
  const name = [classifier.sha256.slice(0, 12), real.key.slice(0, 24), Math.min(count, 2 ** 31), LAYOUT_VERSION].join(
    '-',
  );
  const path = join(folder, 'judge', `${name}.safetensors`);
  try {
    checkTrusted([path], folder);
    return decode(readCacheFile(path, MOST_BYTES), path);
  } catch {
    const reference = computeReference(classifier, real, count);
    write(path, encode(reference), join(folder, 'judge'));
    return reference;
  }
}

function write(path: string, bytes: Uint8Array, folder: string): void {
  // One name for all: what a killed process leaves, the next one takes. Whoever writes at the same time writes the same.
  const temporary = `${path}.tmp`;
  try {
    mkdirSync(folder, { recursive: true });
    writeFileSync(temporary, bytes);
    renameSync(temporary, path);
  } catch {
    rmSync(temporary, { force: true }); // the next evaluation computes it again
  }
}

function encode({ moments, manifold, shares, floor, floorCount }: Reference): Uint8Array {
  const float64 = (values: Float64Array): StoredTensor => ({
    dtype: 'F64',
    shape: [values.length],
    bytes: toBytes(values),
  });
  const tensors = new Map<string, StoredTensor>([
    ['mean', float64(moments.mean)],
    ['covariance', float64(moments.covariance)],
    ['vectors', float64(manifold.vectors)],
    ['squaredRadii', float64(manifold.squaredRadii)],
    ['shares', float64(shares ?? new Float64Array(0))],
    ['floor', float64(Float64Array.of(floor, floorCount))],
  ]);
  return encodeSafetensors({ metadata: {}, tensors });
}

function decode(bytes: Uint8Array, path: string): Reference {
  const { tensors } = decodeSafetensors(bytes, path);
  const read = (name: string, length?: number): Float64Array => {
    const tensor = tensors.get(name);
    if (tensor?.dtype !== 'F64') throw new Error(`${path}: expected a tensor ${name}`);
    const values = new Float64Array(new Uint8Array(tensor.bytes).buffer);
    if (values.length !== (length ?? values.length)) throw new Error(`${path}: expected ${length} values in ${name}`);
    return values;
  };
  const [floor = 0, floorCount = 0] = read('floor', 2);
  const squaredRadii = read('squaredRadii');
  const shares = read('shares');
  return {
    moments: { mean: read('mean', FEATURES), covariance: read('covariance', FEATURES ** 2) },
    manifold: { vectors: read('vectors', squaredRadii.length * FEATURES), size: FEATURES, squaredRadii },
    shares: shares.length === CLASSES ? shares : null,
    floor,
    floorCount,
  };
}
