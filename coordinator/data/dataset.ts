// The images a run trains on, in memory once for the whole node: threads read the pixels without a copy.
import { createHash } from 'node:crypto';
import { GanglionError } from '../../shared/error.ts';
import { IMAGE_PIXELS } from '../../shared/pixels.ts';

/** Greyscale images of 28 x 28 pixels with their labels. */
export interface Dataset {
  /** For people: `MNIST (60,000 training images)`. */
  readonly name: string;
  /** Shape [count, 784], row-major, 0 is black and 255 white; backed by a SharedArrayBuffer. */
  readonly images: Uint8Array;
  /** Shape [count], 0 to 9. */
  readonly labels: Uint8Array;
  readonly count: number;
  /** SHA-256 of the bytes of `images`, then of `labels`, in hex: the data's identity in checkpoints. */
  readonly sha256: string;
}

/**
 * A dataset of `images`, shape [count, 784], and `labels`, shape [count]. Copies the images into a SharedArrayBuffer unless
 * they lie in one.
 * @throws GanglionError `shape` where the two lengths do not fit together.
 */
export function toDataset(name: string, images: Uint8Array, labels: Uint8Array): Dataset {
  const count = labels.length;
  if (count === 0 || images.length !== count * IMAGE_PIXELS) {
    const expected = `${count} x ${IMAGE_PIXELS} pixels for ${count} labels`;
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
    labels,
    count,
    sha256: createHash('sha256').update(shared).update(labels).digest('hex'),
  };
}
