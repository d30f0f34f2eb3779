// Pictures as PNG files: 8 bits a channel, grey or red, green, blue.
import { PNG } from 'pngjs';
import { writeFileAtomicSync } from '../files/atomic-file.ts';
import { channelsOf, type Picture } from './grid.ts';

const COLOUR_TYPES = { 1: 0, 3: 2 } as const;

/** `picture` as a PNG file. The same picture gives the same bytes. @throws GanglionError `shape` for other than 1 or 3 channels */
export function encodePng(picture: Picture): Uint8Array {
  const { width, height, pixels } = picture;
  const colorType = COLOUR_TYPES[channelsOf(picture)];
  const png = new PNG({ width, height, colorType, inputColorType: colorType, inputHasAlpha: false });
  png.data = Buffer.from(pixels.buffer, pixels.byteOffset, pixels.length);
  return PNG.sync.write(png, { colorType, inputColorType: colorType, inputHasAlpha: false });
}

/** The picture in a PNG file of {@link encodePng}. @throws Error where it is none. */
export function decodePng(bytes: Uint8Array): Picture {
  const { width, height, data, color } = PNG.sync.read(Buffer.from(bytes));
  // As red, green, blue and opacity: grey is any of the first three.
  const channels = color ? 3 : 1;
  const pixels = new Uint8Array(width * height * channels);
  for (let i = 0, from = 0; i < pixels.length; i += channels, from += 4) {
    for (let c = 0; c < channels; c++) pixels[i + c] = data[from + c] as number;
  }
  return { width, height, pixels };
}

/**
 * Writes `picture` as a PNG file, atomically.
 * @returns the bytes of the file
 * @throws GanglionError `environment` where it cannot be written, `shape` as encodePng.
 */
export function writePngSync(path: string, picture: Picture): Uint8Array {
  const bytes = encodePng(picture);
  writeFileAtomicSync(path, bytes);
  return bytes;
}
