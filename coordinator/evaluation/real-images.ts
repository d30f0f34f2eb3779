// Which real images generated ones are judged by.
import { createHash } from 'node:crypto';
import type { ImageSet, RealImages } from '../../shared/evaluation.ts';
import type { Dataset } from '../data/dataset.ts';
import { shuffle } from '../training/sampler.ts';

/** Most images of the reference, as t10k has. */
const MOST = 10_000;

/**
 * The reference is the images that the data holds out, MNIST's t10k; where it holds out none, up to 10,000 of the training images. Others
 * are training images that are not in the reference: up to 10,000 again. The choice is the same for every run.
 */
export function toRealImages({ images, labels, count, sha256, heldOut, imageShape }: Dataset): RealImages {
  const order = shuffle(0, 0, count);
  const training = { images, indices: Uint32Array.from({ length: count }, (_, i) => i) };
  const part = (from: number): ImageSet => ({ images, indices: order.subarray(from, from + MOST) });
  if (heldOut === undefined) {
    const reference = part(0);
    const chosen = labels.length === 0 ? null : Uint32Array.from(reference.indices, (index) => labels[index] as number);
    const key = createHash('sha256').update(`${sha256} ${imageShape} trained on`).digest('hex');
    return { shape: imageShape, key, reference, labels: chosen, others: part(MOST), training, isTrainedOn: true };
  }
  const indices = shuffle(0, 0, heldOut.count).subarray(0, MOST);
  const key = createHash('sha256').update(`${sha256} ${imageShape} held out`).update(heldOut.images).digest('hex');
  return {
    ...{ shape: imageShape, key, training },
    reference: { images: heldOut.images, indices },
    labels: Uint32Array.from(indices, (index) => heldOut.labels[index] as number),
    others: part(0),
    isTrainedOn: false,
  };
}

/** What the reference is, for people. */
export function describeReference({ reference, isTrainedOn }: RealImages): string {
  const number = reference.indices.length.toLocaleString('en-US');
  return isTrainedOn ? `${number} training images (the data holds out none)` : `${number} images that no run trains on`;
}
