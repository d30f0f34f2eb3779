// Greyscale images as PNG files: 8 bits a pixel, one channel.
import { PNG } from 'pngjs';
import { writeFileAtomicSync } from '../atomic-file.ts';
import type { GreyImage } from './grid.ts';

const GREYSCALE = 0;

/** `image` as a PNG file. The same image gives the same bytes. */
export function encodePng(image: GreyImage): Uint8Array {
  const { width, height, pixels } = image;
  const png = new PNG({ width, height, colorType: GREYSCALE, inputColorType: GREYSCALE, inputHasAlpha: false });
  png.data = Buffer.from(pixels.buffer, pixels.byteOffset, pixels.length);
  return PNG.sync.write(png, { colorType: GREYSCALE, inputColorType: GREYSCALE, inputHasAlpha: false });
}

/**
 * Writes `image` as a PNG file, atomically.
 * @throws GanglionError `environment` where it cannot be written.
 */
export function writePngSync(path: string, image: GreyImage): void {
  writeFileAtomicSync(path, encodePng(image));
}
