// Puts images side by side into one, for the samples of a run. Pure.
import { GanglionError } from '../../shared/error.ts';
import type { ImageShape } from '../../shared/model/spec.ts';
import { toBytePixels } from '../../shared/pixels.ts';

/** Black pixels between two neighbours of a grid. */
const GRID_GAP = 2;

/** An image in bytes; `pixels` has shape [height, width, channels], row-major: one channel, 0 black and 255 white, or red, green, blue. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly pixels: Uint8Array;
}

/** Channels of a picture. @throws GanglionError `shape` when they are not 1 or 3 */
export function channelsOf({ width, height, pixels }: Picture): 1 | 3 {
  const channels = pixels.length / (width * height);
  if (channels === 1 || channels === 3) return channels;
  throw new GanglionError('shape', `picture: expected ${width} x ${height} x 1 or 3 bytes, got ${pixels.length}`);
}

/**
 * `count` images in rows of `columns` (fewer where there are fewer images), row by row, with black gaps of 2 pixels between
 * them and none around; cells without an image are black.
 * @param images [count, ...shape]: bytes, or floats in [-1, 1] that become bytes by {@link toBytePixels}.
 * @throws GanglionError `shape` where `images` does not hold `count` images, or a number is not a positive integer.
 */
export function toGrid(
  images: Uint8Array | Float32Array,
  count: number,
  columns: number,
  [imageHeight, imageWidth, channels]: ImageShape,
): Picture {
  const size = imageHeight * imageWidth * channels;
  if (!Number.isInteger(count) || count < 1 || images.length !== count * size) {
    const expected = `${count} (at least 1) x ${size} pixels`;
    throw new GanglionError('shape', `grid: expected ${expected}, got ${images.length}`);
  }
  if (!Number.isInteger(columns) || columns < 1) {
    throw new GanglionError('shape', `grid: expected at least 1 column, got ${columns}`);
  }
  const used = Math.min(columns, count);
  const [cellHeight, cellWidth] = [imageHeight + GRID_GAP, imageWidth + GRID_GAP];
  const width = used * cellWidth - GRID_GAP;
  const height = Math.ceil(count / used) * cellHeight - GRID_GAP;
  const pixels = new Uint8Array(width * height * channels);
  const bytes = images instanceof Float32Array ? toBytePixels(images) : images;
  const rowLength = imageWidth * channels;
  for (let image = 0; image < count; image++) {
    const top = Math.floor(image / used) * cellHeight;
    const left = (image % used) * cellWidth;
    for (let row = 0; row < imageHeight; row++) {
      const start = image * size + row * rowLength;
      pixels.set(bytes.subarray(start, start + rowLength), ((top + row) * width + left) * channels);
    }
  }
  return { width, height, pixels };
}
