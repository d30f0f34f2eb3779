// Greyscale images as an animated GIF file that begins again at its end. The only module that knows gifenc.
import { createRequire } from 'node:module';
import { GanglionError } from '../../shared/error.ts';
import type { GreyImage } from './grid.ts';

/** Of gifenc 1.0.3, which ships no types: what is called here. */
interface Encoder {
  /** The first frame's palette and repeat are those of the whole file. `delay` in milliseconds; `repeat` 0 is for ever. */
  writeFrame(
    indices: Uint8Array,
    width: number,
    height: number,
    options: { palette?: readonly (readonly number[])[]; delay: number; repeat?: number },
  ): void;
  finish(): void;
  bytes(): Uint8Array;
}

const require = createRequire(import.meta.url);
const gifenc: { GIFEncoder(): Encoder } = require('gifenc');

/** Every grey is in it, so that a frame has the pixels of its image. */
const PALETTE = Array.from({ length: 256 }, (_, grey) => [grey, grey, grey] as const);

/** Frames are encoded as they are added: memory holds one of them beside the file. */
export class GifWriter {
  readonly #encoder = gifenc.GIFEncoder();
  #size: { readonly width: number; readonly height: number } | undefined;

  /**
   * @param delayMs for which the frame is shown, to a hundredth of a second
   * @throws GanglionError `shape` where it has not the size of the first
   */
  add({ width, height, pixels }: GreyImage, delayMs: number): void {
    const first = this.#size === undefined;
    this.#size ??= { width, height };
    if (width !== this.#size.width || height !== this.#size.height) {
      const expected = `${this.#size.width} x ${this.#size.height}`;
      throw new GanglionError('shape', `gif: expected a frame of ${expected} pixels, got ${width} x ${height}`);
    }
    const options = first ? { delay: delayMs, palette: PALETTE, repeat: 0 } : { delay: delayMs };
    this.#encoder.writeFrame(pixels, width, height, options);
  }

  /** The file; nothing can be added any more. */
  finish(): Uint8Array {
    this.#encoder.finish();
    return this.#encoder.bytes();
  }
}
