// What the classifier is shown of an image of any size: a fixed reduction to grey pixels of 28 x 28, in whole numbers.
import type { ImageShape } from '../../shared/model/spec.ts';
import { greyOf } from '../../shared/pixels.ts';
import { resize } from '../../shared/resize.ts';
import { SIDE } from './classifier.ts';

/** An image, uint8 [height, width, 1 or 3], as uint8 [28, 28]: grey first, then smaller or larger; of that shape it stays as it is. */
export function toJudged(image: Uint8Array, [height, width, channels]: ImageShape): Uint8Array {
  const pixels = channels === 1 ? image : toGrey(image);
  return resize({ width, height, channels: 1, pixels }, SIDE, SIDE);
}

/** @param colour uint8 [pixels, 3] */
function toGrey(colour: Uint8Array): Uint8Array {
  const grey = new Uint8Array(colour.length / 3);
  for (let i = 0, at = 0; i < grey.length; i++, at += 3) {
    grey[i] = greyOf(colour[at] as number, colour[at + 1] as number, colour[at + 2] as number);
  }
  return grey;
}
