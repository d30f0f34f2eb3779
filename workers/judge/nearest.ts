// The nearest training image of an image: a generator that has learned images by heart draws them again.
import type { ImageSet } from '../../shared/evaluation.ts';

/** Values that are compared before it is asked whether two images are too far apart already. */
const PART = 56;

/**
 * Root mean square difference of pixels in [0, 1] between an image and the nearest one of a set.
 *
 * @param image uint8 [size]
 * @param except index of an image of the set that does not count: itself
 */
export function nearestDistance(image: Uint8Array, { images, indices }: ImageSet, except?: number): number {
  const size = image.length;
  let least = Number.POSITIVE_INFINITY;
  for (const index of indices) {
    if (index === except) continue;
    const at = index * size;
    let sum = 0;
    for (let i = 0; i < size && sum < least; i += PART) {
      const end = Math.min(size, i + PART);
      for (let k = i; k < end; k++) {
        const difference = (image[k] as number) - (images[at + k] as number);
        sum += difference * difference;
      }
    }
    if (sum < least) least = sum;
  }
  return Math.sqrt(least / size) / 255;
}
