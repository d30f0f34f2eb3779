// Puts images side by side into one, for the samples of a run. Pure.
import { GanglionError } from '../../shared/error.ts';
import type { ImageShape } from '../../shared/model/spec.ts';
import { toByte } from '../../shared/pixels.ts';

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
 * @param images [count, ...shape]: bytes, or floats in [-1, 1] that become bytes by {@link toByte}.
 * @throws GanglionError `shape` where `images` does not hold `count` images, or a number is not a positive integer.
 */
export function toGrid(
  images: Uint8Array | Float32Array,
  count: number,
  columns: number,
  shape: ImageShape,
): GreyImage {
  const [rows, rowLength] = shape;
  const size = rows * rowLength;
  if (!Number.isInteger(count) || count < 1 || images.length !== count * size) {
    const expected = `${count} (at least 1) x ${size} pixels`;
    throw new GanglionError('shape', `grid: expected ${expected}, got ${images.length}`);
  }
  if (!Number.isInteger(columns) || columns < 1) {
    throw new GanglionError('shape', `grid: expected at least 1 column, got ${columns}`);
  }
  const used = Math.min(columns, count);
  const width = used * (rowLength + GRID_GAP) - GRID_GAP;
  const height = Math.ceil(count / used) * (rows + GRID_GAP) - GRID_GAP;
  const pixels = new Uint8Array(width * height);
  const bytes = images instanceof Float32Array ? Uint8Array.from(images, toByte) : images;
  for (let image = 0; image < count; image++) {
    const corner = Math.floor(image / used) * (rows + GRID_GAP) * width + (image % used) * (rowLength + GRID_GAP);
    for (let row = 0; row < rows; row++) {
      const start = image * size + row * rowLength;
      pixels.set(bytes.subarray(start, start + rowLength), corner + row * width);
    }
  }
  return { width, height, pixels };
}
