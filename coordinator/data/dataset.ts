// The images a run trains on, in memory once for the whole node: threads read the pixels without a copy.

import { createHash } from 'node:crypto';
import { GanglionError } from '../../shared/error.ts';
import { sizeOf } from '../../shared/model/shape.ts';
import type { ImageShape } from '../../shared/model/spec.ts';
import { counted } from '../../shared/printable.ts';
import { identityOf } from './known-sets.ts';

/** Images of one shape, with their labels where there are some. */
export interface Dataset {
  /** For people: `MNIST (60,000 training images)`. */
  readonly name: string;
  /** Shape [count, ...imageShape], row-major, 0 is black and 255 white; backed by a SharedArrayBuffer. */
  readonly images: Uint8Array;
  readonly imageShape: ImageShape;
  /** Shape [count]: the class of every image; empty where the data has no classes. Training does not read them. */
  readonly labels: Uint8Array | Uint32Array;
  /** Names of the classes by their number; empty where the data names none. */
  readonly classNames: readonly string[];
  readonly count: number;
  /** Images that no run trains on, with their labels: generated ones are judged by these. Undefined where the data has none. */
  readonly heldOut?: Pick<Dataset, 'images' | 'labels' | 'count'>;
  /** SHA-256 of the bytes of `images`, in hex: the data's identity in checkpoints, by whatever road it came. */
  readonly sha256: string;
  /** What was done to the images to bring them to `imageShape`, in one line for people; null for nothing. */
  readonly preparation: string | null;
}

/** What is known of images beside their pixels. */
export interface DatasetFacts {
  readonly classNames?: readonly string[];
  readonly preparation?: string | null;
}

/** What images of a folder or file are called: `faces (60,000 images)`. */
export function nameWithCount(name: string, count: number): string {
  return `${name} (${counted(count, 'image')})`;
}

/**
 * A dataset of `images`, shape [count, ...imageShape], and `labels`, shape [count] or empty. Copies the images into a
 * SharedArrayBuffer unless they lie in one.
 * @throws GanglionError `shape` where the two lengths do not fit together.
 */
export function toDataset(
  name: string,
  images: Uint8Array,
  labels: Uint8Array | Uint32Array,
  imageShape: ImageShape,
  { classNames = [], preparation = null }: DatasetFacts = {},
): Dataset {
  const size = sizeOf(imageShape);
  const count = labels.length > 0 ? labels.length : images.length / size;
  if (count === 0 || images.length !== count * size) {
    const expected = `${count} x ${size} pixels for ${labels.length} labels`;
    throw new GanglionError('shape', `dataset ${name}: expected ${expected}, got ${images.length}`);
  }
  let shared = images;
  if (!(images.buffer instanceof SharedArrayBuffer)) {
    shared = new Uint8Array(new SharedArrayBuffer(images.length));
    shared.set(images);
  }
  const sha256 = identityOf(createHash('sha256').update(shared).digest('hex'));
  return { name, images: shared, imageShape, labels, classNames, count, sha256, preparation };
}
