// Pictures as an animated GIF file that begins again at its end. The only module that knows gifenc.
import { createRequire } from 'node:module';
import { GanglionError } from '../../shared/error.ts';
import { channelsOf, type Picture } from './grid.ts';

/** Colours by their index, red, green, blue. */
type Palette = readonly (readonly number[])[];

/** Of gifenc 1.0.3, which ships no types: what is called here. */
interface Encoder {
  /** The first frame's repeat is that of the whole file, its palette that of frames without one. `delay` in milliseconds; `repeat` 0 is for ever. */
  writeFrame(
    indices: Uint8Array,
    width: number,
    height: number,
    options: { palette?: Palette; delay: number; repeat?: number },
  ): void;
  finish(): void;
  bytes(): Uint8Array;
}

const require = createRequire(import.meta.url);
const gifenc: {
  GIFEncoder(): Encoder;
  /** The best colours for pixels of red, green, blue and opacity. */
  quantize(rgba: Uint8Array, most: number): Palette;
  applyPalette(rgba: Uint8Array, palette: Palette): Uint8Array;
} = require('gifenc');

/** Every grey is in it, so that a grey frame has the pixels of its picture. */
const GREYS = Array.from({ length: 256 }, (_, grey) => [grey, grey, grey] as const);

function indexed(picture: Picture): { readonly indices: Uint8Array; readonly palette: Palette } {
  const { width, height, pixels } = picture;
  if (channelsOf(picture) === 1) return { indices: pixels, palette: GREYS };
  const rgba = new Uint8Array(4 * width * height).fill(255);
  for (let i = 0, at = 0; i < pixels.length; i += 3, at += 4) {
    for (let c = 0; c < 3; c++) rgba[at + c] = pixels[i + c] as number;
  }
  const palette = gifenc.quantize(rgba, 256);
  return { indices: gifenc.applyPalette(rgba, palette), palette };
}

/** Frames are encoded as they are added: memory holds one of them beside the file. */
export class GifWriter {
  readonly #encoder = gifenc.GIFEncoder();
  #size: { readonly width: number; readonly height: number } | undefined;

  /**
   * @param delayMs for which the frame is shown, to a hundredth of a second
   * @throws GanglionError `shape` where it has not the size of the first, or not 1 or 3 channels
   */
  add(picture: Picture, delayMs: number): void {
    const { width, height } = picture;
    const first = this.#size === undefined;
    this.#size ??= { width, height };
    if (width !== this.#size.width || height !== this.#size.height) {
      const expected = `${this.#size.width} x ${this.#size.height}`;
      throw new GanglionError('shape', `gif: expected a frame of ${expected} pixels, got ${width} x ${height}`);
    }
    const { indices, palette } = indexed(picture);
    const own = palette === GREYS && !first ? {} : { palette };
    this.#encoder.writeFrame(indices, width, height, { delay: delayMs, ...own, ...(first ? { repeat: 0 } : {}) });
  }

  /** The file; nothing can be added any more. */
  finish(): Uint8Array {
    this.#encoder.finish();
    return this.#encoder.bytes();
  }
}
