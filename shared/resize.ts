// Changes the size of an image in whole numbers alone, so that its bytes are the same on every machine. A triangle filter, as wide as a
// pixel of the smaller grid (Pillow's BILINEAR): shrinking averages all that a pixel covers, and an equal size changes nothing.
import { GanglionError } from './error.ts';

/** An image in bytes, row-major: shape [height, width, channels]. */
export interface RawImage {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly pixels: Uint8Array;
}

/** Which of a row's values make up one of the result's, and how much of each. */
interface Tap {
  readonly start: number;
  /** Whole numbers. */
  readonly weights: Float64Array;
  /** Their sum. */
  readonly total: number;
}

/** Sizes whose taps are kept: data has few. */
const MOST_KEPT = 64;
const kept = new Map<string, readonly Tap[]>();

/**
 * Pixel i of `target` lies at (i + 1/2) source / target of a row. The weight of source pixel j is support - |j + 1/2 - that place|, with
 * support max(1, source / target); times 2 target it is a whole number.
 */
function tapsOf(source: number, target: number): readonly Tap[] {
  const key = `${source} ${target}`;
  const known = kept.get(key);
  if (known !== undefined) return known;
  const support = 2 * Math.max(source, target);
  const taps = Array.from({ length: target }, (_, i) => {
    const centre = (2 * i + 1) * source;
    const weightOf = (j: number): number => support - Math.abs((2 * j + 1) * target - centre);
    let start = Math.max(0, Math.floor((centre - support) / (2 * target)) - 1);
    while (weightOf(start) <= 0) start++;
    const weights: number[] = [];
    for (let j = start; j < source && weightOf(j) > 0; j++) weights.push(weightOf(j));
    return { start, weights: Float64Array.from(weights), total: weights.reduce((a, b) => a + b, 0) };
  });
  if (kept.size >= MOST_KEPT) kept.clear();
  kept.set(key, taps);
  return taps;
}

/** Steps of a byte between the two passes. */
const FINE = 256;

/** The image in another size. @throws GanglionError `shape` for sizes that are none */
export function resize({ width, height, channels, pixels }: RawImage, toWidth: number, toHeight: number): Uint8Array {
  if (![width, height, toWidth, toHeight].every((side) => Number.isInteger(side) && side > 0)) {
    throw new GanglionError(
      'shape',
      `resize: expected sides of at least 1, got ${width} x ${height} to ${toWidth} x ${toHeight}`,
    );
  }
  if (width === toWidth && height === toHeight) return pixels;
  // Along the rows first, to 1/256 of a byte; then along the columns.
  const across = tapsOf(width, toWidth);
  const rows = new Float64Array(height * toWidth * channels);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < toWidth; x++) {
      const { start, weights, total } = across[x] as Tap;
      for (let c = 0; c < channels; c++) {
        let sum = 0;
        for (let k = 0; k < weights.length; k++) {
          sum += (weights[k] as number) * (pixels[(y * width + start + k) * channels + c] as number);
        }
        rows[(y * toWidth + x) * channels + c] = Math.floor((2 * FINE * sum + total) / (2 * total));
      }
    }
  }
  const down = tapsOf(height, toHeight);
  const row = toWidth * channels;
  const result = new Uint8Array(toHeight * row);
  for (let y = 0; y < toHeight; y++) {
    const { start, weights, total } = down[y] as Tap;
    for (let i = 0; i < row; i++) {
      let sum = 0;
      for (let k = 0; k < weights.length; k++) sum += (weights[k] as number) * (rows[(start + k) * row + i] as number);
      result[y * row + i] = Math.floor((2 * sum + FINE * total) / (2 * FINE * total));
    }
  }
  return result;
}
