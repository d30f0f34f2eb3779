// Which of some drawn images are the clearest, so that the exported page opens on a digit and not on a smudge. A digit is a stroke: the ink
// of a clear one is one connected piece without a blot, and little of the image is neither ink nor ground.
import { sizeOf } from '../../shared/model/shape.ts';
import type { ImageShape } from '../../shared/model/spec.ts';

/** From this distance to 0 on, a value in [-1, 1] counts as black or white. */
const DECIDED = 0.9;
/** A white square whose side is this part of the image's is wider than a stroke. */
const BLOT = 0.18;

/**
 * Indices of the images, clearest first: those whose ink is one stroke before the others, then by grey pixels for one of ink.
 *
 * @param images [count, height, width, channels], -1 is ground and 1 is ink
 */
export function clearestFirst(images: Float32Array, count: number, shape: ImageShape): number[] {
  const size = sizeOf(shape);
  const judged = Array.from({ length: count }, (_, index) => {
    const brightness = toBrightness(images.subarray(index * size, (index + 1) * size), shape);
    const ink = brightness.reduce((pixels, value) => pixels + (value > 0 ? 1 : 0), 0);
    const grey = brightness.reduce((pixels, value) => pixels + (Math.abs(value) < DECIDED ? 1 : 0), 0);
    const isStroke = countPieces(brightness, shape) === 1 && !hasBlot(brightness, shape);
    return { index, isStroke, grey: grey / Math.max(1, ink) };
  });
  return judged
    .toSorted((a, b) => Number(b.isStroke) - Number(a.isStroke) || a.grey - b.grey || a.index - b.index)
    .map(({ index }) => index);
}

/** Mean over the channels, [height, width]. */
function toBrightness(image: Float32Array, [height, width, channels]: ImageShape): Float32Array {
  return Float32Array.from({ length: height * width }, (_, pixel) => {
    const values = image.subarray(pixel * channels, (pixel + 1) * channels);
    return values.reduce((sum, value) => sum + value, 0) / channels;
  });
}

/** Whether there is a white square that is wider than a stroke. */
function hasBlot(brightness: Float32Array, [height, width]: ImageShape): boolean {
  const side = Math.max(2, Math.round(height * BLOT));
  for (let top = 0; top + side <= height; top++) {
    for (let left = 0; left + side <= width; left++) {
      const isInk = (_: unknown, i: number) =>
        (brightness[(top + Math.floor(i / side)) * width + left + (i % side)] ?? -1) >= DECIDED;
      if (Array.from({ length: side * side }).every(isInk)) return true;
    }
  }
  return false;
}

/** Connected pieces of ink; pixels that touch by a corner are connected. */
function countPieces(brightness: Float32Array, [height, width]: ImageShape): number {
  const isOpen = Array.from(brightness, (value) => value > 0);
  let pieces = 0;
  for (let start = isOpen.indexOf(true); start !== -1; start = isOpen.indexOf(true, start)) {
    pieces++;
    isOpen[start] = false;
    const edge = [start];
    for (let at = edge.pop(); at !== undefined; at = edge.pop()) {
      const [row, column] = [Math.floor(at / width), at % width];
      for (let y = Math.max(0, row - 1); y <= Math.min(height - 1, row + 1); y++) {
        for (let x = Math.max(0, column - 1); x <= Math.min(width - 1, column + 1); x++) {
          if (!isOpen[y * width + x]) continue;
          isOpen[y * width + x] = false;
          edge.push(y * width + x);
        }
      }
    }
  }
  return pieces;
}
