// Puts images side by side into one, for the samples of a run. Pure.
import { GanglionError } from '../../shared/error.ts';
import { IMAGE_PIXELS, IMAGE_SIDE, toByte } from '../../shared/pixels.ts';

/** Black pixels between two neighbours of a grid. */
const GRID_GAP = 2;

/** A greyscale image; `pixels` has shape [height, width], row-major, 0 black and 255 white. */
export interface GreyImage {
  readonly width: number;
  readonly height: number;
  readonly pixels: Uint8Array;
}

/**
 * `count` images in rows of `columns` (fewer where there are fewer images), row by row, with black gaps of 2 pixels between
 * them and none around; cells without an image are black.
 * @param images shape [count, 28, 28]: bytes, or floats in [-1, 1] that become bytes by {@link toByte}.
 * @throws GanglionError `shape` where `images` does not hold `count` images, or a number is not a positive integer.
 */
export function toGrid(images: Uint8Array | Float32Array, count: number, columns: number): GreyImage {
  if (!Number.isInteger(count) || count < 1 || images.length !== count * IMAGE_PIXELS) {
    const expected = `${count} (at least 1) x ${IMAGE_PIXELS} pixels`;
    throw new GanglionError('shape', `grid: expected ${expected}, got ${images.length}`);
  }
  if (!Number.isInteger(columns) || columns < 1) {
    throw new GanglionError('shape', `grid: expected at least 1 column, got ${columns}`);
  }
  const used = Math.min(columns, count);
  const pitch = IMAGE_SIDE + GRID_GAP;
  const width = used * pitch - GRID_GAP;
  const height = Math.ceil(count / used) * pitch - GRID_GAP;
  const pixels = new Uint8Array(width * height);
  const bytes = images instanceof Float32Array ? Uint8Array.from(images, toByte) : images;
  for (let image = 0; image < count; image++) {
    const corner = Math.floor(image / used) * pitch * width + (image % used) * pitch;
    for (let row = 0; row < IMAGE_SIDE; row++) {
      const start = image * IMAGE_PIXELS + row * IMAGE_SIDE;
      pixels.set(bytes.subarray(start, start + IMAGE_SIDE), corner + row * width);
    }
  }
  return { width, height, pixels };
}
