// Greyscale images as PNG files: 8 bits a pixel, one channel.
import { PNG } from 'pngjs';
import { writeFileAtomicSync } from '../files/atomic-file.ts';
import type { GreyImage } from './grid.ts';

const GREYSCALE = 0;

/** `image` as a PNG file. The same image gives the same bytes. */
export function encodePng(image: GreyImage): Uint8Array {
  const { width, height, pixels } = image;
  const png = new PNG({ width, height, colorType: GREYSCALE, inputColorType: GREYSCALE, inputHasAlpha: false });
  png.data = Buffer.from(pixels.buffer, pixels.byteOffset, pixels.length);
  return PNG.sync.write(png, { colorType: GREYSCALE, inputColorType: GREYSCALE, inputHasAlpha: false });
}

/** The image in a PNG file of {@link encodePng}. @throws Error where it is none. */
export function decodePng(bytes: Uint8Array): GreyImage {
  const { width, height, data } = PNG.sync.read(Buffer.from(bytes));
  // As red, green, blue and opacity: grey is any of the first three.
  return { width, height, pixels: Uint8Array.from({ length: width * height }, (_, i) => data[4 * i] ?? 0) };
}

/**
 * Writes `image` as a PNG file, atomically.
 * @returns the bytes of the file
 * @throws GanglionError `environment` where it cannot be written.
 */
export function writePngSync(path: string, image: GreyImage): Uint8Array {
  const bytes = encodePng(image);
  writeFileAtomicSync(path, bytes);
  return bytes;
}
