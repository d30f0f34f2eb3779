// Brings an image to the shape that the model takes: opacity over a colour, grey or colour, the sides exchanged, the size, light and dark
// exchanged. Whole numbers alone; what was done to a set is said in one line.
import { GanglionError } from '../../shared/error.ts';
import type { ImageShape } from '../../shared/model/spec.ts';
import { greyOf } from '../../shared/pixels.ts';
import { type RawImage, resize } from '../../shared/resize.ts';
import { Outgrown, shapeFor, type WantedShape } from './wanted-shape.ts';

/** How images are prepared, as the settings say. */
export interface PreparationOptions {
  /** `fit` shows all of an image, `cover` fills the shape, `stretch` does both and changes proportions. */
  readonly resize: 'fit' | 'cover' | 'stretch';
  /** Exchanges rows and columns: EMNIST's files store them so. */
  readonly transpose: boolean;
  /** Exchanges light and dark. */
  readonly invert: boolean;
  /** Red, green and blue behind what is not opaque, and beside an image that fits. */
  readonly background: readonly [number, number, number];
}

/** Images larger than this are refused, and a file that unpacks to more is a decompression bomb. */
export const MOST_PIXELS = 2 ** 26;

/** What images a preparation has met: of each kind, whether there was one. */
export interface PreparationFacts {
  /** Their smallest and largest width and height; null before the first. */
  readonly sizes: readonly [minWidth: number, minHeight: number, maxWidth: number, maxHeight: number] | null;
  /** Whether a colour other than grey was in one. */
  readonly coloured: boolean;
  readonly transparent: boolean;
  readonly resized: boolean;
}

export class Preparation {
  readonly #options: PreparationOptions;
  readonly #shape: ImageShape;
  readonly #wanted: WantedShape | null;
  readonly #background: readonly number[];
  #facts: PreparationFacts = { sizes: null, coloured: false, transparent: false, resized: false };

  /**
   * @param shape of the images to make: 1 or 3 channels
   * @param wanted where it has an `auto`, an image may outgrow the shape; null for never
   */
  constructor(options: PreparationOptions, shape: ImageShape, wanted: WantedShape | null = null) {
    this.#options = options;
    this.#shape = shape;
    this.#wanted = wanted;
    const { background } = options;
    this.#background = shape[2] === 1 ? [greyOf(...background)] : background;
  }

  get shape(): ImageShape {
    return this.#shape;
  }

  get options(): PreparationOptions {
    return this.#options;
  }

  get wanted(): WantedShape | null {
    return this.#wanted;
  }

  get facts(): PreparationFacts {
    return this.#facts;
  }

  /** Adds what another preparation has met. */
  add({ sizes, coloured, transparent, resized }: PreparationFacts): void {
    const known = this.#facts;
    this.#facts = {
      sizes: joinSizes(known.sizes, sizes),
      coloured: known.coloured || coloured,
      transparent: known.transparent || transparent,
      resized: known.resized || resized,
    };
  }

  /** Whether images of a shape stay as they are. */
  isNothing(shape: ImageShape): boolean {
    const { transpose, invert } = this.#options;
    return !transpose && !invert && shape.every((side, i) => side === this.#shape[i]);
  }

  /**
   * Writes an image, of 1 (grey), 2 (with opacity), 3 or 4 channels, as one of the model's.
   * @param out height x width x channels bytes
   * @throws GanglionError `data` for an image without pixels, or too many
   * @throws Outgrown for one that is too large for the shape, or coloured, where that is `auto`
   */
  write(image: RawImage, out: Uint8Array): void {
    const [height, width, channels] = this.#shape;
    if (image.width * image.height > MOST_PIXELS || image.pixels.length === 0) {
      const got = `${image.width} x ${image.height}`;
      throw new GanglionError('data', `expected an image of 1 to ${MOST_PIXELS} pixels, got ${got}`);
    }
    const coloured = this.#hasColour(image);
    if (this.#wanted !== null) {
      const needed = shapeFor(this.#wanted, Math.max(image.width, image.height), coloured);
      if (needed.some((least, i) => least > (this.#shape[i] as number))) throw new Outgrown(needed);
    }
    let source = toChannels(image, channels, this.#options.background);
    if (this.#options.transpose) source = transpose(source);
    const resized = source.width !== width || source.height !== height;
    this.add({
      sizes: [image.width, image.height, image.width, image.height],
      coloured,
      transparent: isTransparent(image),
      resized,
    });
    if (resized) this.#place(source, out);
    else out.set(source.pixels);
    if (this.#options.invert) for (let i = 0; i < out.length; i++) out[i] = 255 - (out[i] as number);
  }

  /** Whether there is another colour than grey in what an image becomes. */
  #hasColour(image: RawImage): boolean {
    const { resize: how, background } = this.#options;
    const isGreyBackground = isGrey(background);
    const [height, width] = this.#shape;
    if (!isGreyBackground && how === 'fit' && image.width * height !== image.height * width) return true;
    const { channels, pixels } = image;
    const hasOpacity = channels % 2 === 0;
    if (channels <= 2 && (isGreyBackground || !hasOpacity)) return false;
    for (let at = 0; at < pixels.length; at += channels) {
      if (!isGrey(overBackground(image, at, background))) return true;
    }
    return false;
  }

  #place(source: RawImage, out: Uint8Array): void {
    const [height, width, channels] = this.#shape;
    const how = this.#options.resize;
    if (how === 'stretch') {
      out.set(resize(source, width, height));
    } else if (how === 'cover') {
      const isWide = source.width * height > source.height * width;
      const cutWidth = isWide ? Math.max(1, roundedRatio(source.height * width, height)) : source.width;
      const cutHeight = isWide ? source.height : Math.max(1, roundedRatio(source.width * height, width));
      out.set(resize(cutMiddle(source, cutWidth, cutHeight), width, height));
    } else {
      const isWide = source.width * height >= source.height * width;
      const toWidth = isWide ? width : Math.max(1, roundedRatio(source.width * height, source.height));
      const toHeight = isWide ? Math.max(1, roundedRatio(source.height * width, source.width)) : height;
      const scaled = resize(source, toWidth, toHeight);
      for (let i = 0; i < out.length; i++) out[i] = this.#background[i % channels] as number;
      const [top, left] = [(height - toHeight) >> 1, (width - toWidth) >> 1];
      const row = toWidth * channels;
      for (let y = 0; y < toHeight; y++) {
        out.set(scaled.subarray(y * row, (y + 1) * row), ((top + y) * width + left) * channels);
      }
    }
  }

  /** What was done, for people; null for nothing. */
  describe(): string | null {
    const [height, width, channels] = this.#shape;
    const { transpose, invert, resize: how, background } = this.#options;
    const colour = `#${background.map((part) => part.toString(16).padStart(2, '0')).join('')}`;
    const { sizes, coloured, transparent, resized } = this.#facts;
    const done = [
      resized ? `${describeSizes(sizes)} to ${width} x ${height} (${how}${how === 'fit' ? ` on ${colour}` : ''})` : [],
      coloured && channels === 1 ? 'colour to grey' : [],
      transparent ? `opacity over ${colour}` : [],
      transpose ? 'rows and columns exchanged' : [],
      invert ? 'light and dark exchanged' : [],
    ].flat();
    return done.length === 0 ? null : done.join(', ');
  }
}

function joinSizes(a: PreparationFacts['sizes'], b: PreparationFacts['sizes']): PreparationFacts['sizes'] {
  if (a === null || b === null) return a ?? b;
  return [Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[2], b[2]), Math.max(a[3], b[3])];
}

/** `60 x 40`, or `20 x 30 .. 640 x 480`. */
function describeSizes(sizes: PreparationFacts['sizes']): string {
  const [minWidth, minHeight, maxWidth, maxHeight] = sizes ?? [0, 0, 0, 0];
  const smallest = `${minWidth} x ${minHeight}`;
  const largest = `${maxWidth} x ${maxHeight}`;
  return smallest === largest ? smallest : `${smallest} .. ${largest}`;
}

function roundedRatio(a: number, b: number): number {
  return Math.floor((2 * a + b) / (2 * b));
}

function transpose({ width, height, channels, pixels }: RawImage): RawImage {
  const turned = new Uint8Array(pixels.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < channels; c++) {
        turned[(x * height + y) * channels + c] = pixels[(y * width + x) * channels + c] as number;
      }
    }
  }
  return { width: height, height: width, channels, pixels: turned };
}

function cutMiddle(image: RawImage, width: number, height: number): RawImage {
  const [top, left] = [(image.height - height) >> 1, (image.width - width) >> 1];
  const row = width * image.channels;
  const pixels = new Uint8Array(height * row);
  for (let y = 0; y < height; y++) {
    const start = ((top + y) * image.width + left) * image.channels;
    pixels.set(image.pixels.subarray(start, start + row), y * row);
  }
  return { width, height, channels: image.channels, pixels };
}

/** Whether a pixel is not opaque. */
function isTransparent({ channels, pixels }: RawImage): boolean {
  if (channels % 2 > 0) return false;
  for (let at = channels - 1; at < pixels.length; at += channels) if (pixels[at] !== 255) return true;
  return false;
}

const isGrey = ([red, green, blue]: readonly [number, number, number]): boolean => red === green && green === blue;

/** Red, green and blue of the pixel whose first value is at `at`, laid over a colour where it is not opaque. */
function overBackground(
  { channels, pixels }: RawImage,
  at: number,
  background: readonly [number, number, number],
): readonly [number, number, number] {
  const next = channels <= 2 ? 0 : 1;
  const opacity = channels % 2 === 0 ? (pixels[at + channels - 1] as number) : 255;
  const over = (value: number, behind: number): number =>
    opacity === 255 ? value : Math.floor((2 * (value * opacity + behind * (255 - opacity)) + 255) / 510);
  return [
    over(pixels[at] as number, background[0]),
    over(pixels[at + next] as number, background[1]),
    over(pixels[at + 2 * next] as number, background[2]),
  ];
}

/** The image in grey or in colour, laid over a colour where it is not opaque. */
function toChannels(image: RawImage, channels: number, background: readonly [number, number, number]): RawImage {
  const { width, height } = image;
  if (image.channels === channels) return image;
  const pixels = new Uint8Array(width * height * channels);
  for (let i = 0; i < width * height; i++) {
    const colour = overBackground(image, i * image.channels, background);
    if (channels === 1) pixels[i] = greyOf(...colour);
    else pixels.set(colour, i * 3);
  }
  return { width, height, channels, pixels };
}
