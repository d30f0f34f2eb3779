// The images a run trains on, in memory once for the whole node: threads read the pixels without a copy.
import { createHash } from 'node:crypto';
import { GanglionError } from '../../shared/error.ts';
import type { ImageShape } from '../../shared/model/spec.ts';

/** Images of one shape with their labels. */
export interface Dataset {
  /** For people: `MNIST (60,000 training images)`. */
  readonly name: string;
  /** Shape [count, ...imageShape], row-major, 0 is black and 255 white; backed by a SharedArrayBuffer. */
  readonly images: Uint8Array;
  readonly imageShape: ImageShape;
  /** Shape [count], 0 to 9. */
  readonly labels: Uint8Array;
  readonly count: number;
  /** SHA-256 of the bytes of `images`, then of `labels`, in hex: the data's identity in checkpoints. */
  readonly sha256: string;
}

/**
 * A dataset of `images`, shape [count, ...imageShape], and `labels`, shape [count]. Copies the images into a SharedArrayBuffer unless
 * they lie in one.
 * @throws GanglionError `shape` where the two lengths do not fit together.
 */
export function toDataset(name: string, images: Uint8Array, labels: Uint8Array, imageShape: ImageShape): Dataset {
  const count = labels.length;
  const size = imageShape.reduce((a, b) => a * b, 1);
  if (count === 0 || images.length !== count * size) {
    const expected = `${count} x ${size} pixels for ${count} labels`;
    throw new GanglionError('shape', `dataset ${name}: expected ${expected}, got ${images.length}`);
  }
  let shared = images;
  if (!(images.buffer instanceof SharedArrayBuffer)) {
    shared = new Uint8Array(new SharedArrayBuffer(images.length));
    shared.set(images);
  }
  return {
    name,
    images: shared,
    imageShape,
    labels,
    count,
    sha256: createHash('sha256').update(shared).update(labels).digest('hex'),
  };
}
