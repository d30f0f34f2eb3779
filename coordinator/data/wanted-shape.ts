// The shape of a set's images: as it is asked for, or the least that holds every image. It is known when all have been read, so reading
// begins with the smallest, and again with a larger one where an image needs it.
import { IMAGE_SIDES, type ImageShape, type ImageSide } from '../../shared/model/spec.ts';

/** What is asked for; `auto` follows the images. */
export interface WantedShape {
  readonly imageSize: ImageSide | 'auto';
  readonly channels: 1 | 3 | 'auto';
}

const [SMALLEST, , LARGEST] = IMAGE_SIDES;

/**
 * The least shape for an image, or what is asked for.
 * @param side the longer one of the image
 */
export function shapeFor({ imageSize, channels }: WantedShape, side: number, coloured: boolean): ImageShape {
  const square = imageSize === 'auto' ? (IMAGE_SIDES.find((known) => side <= known) ?? LARGEST) : imageSize;
  return [square, square, channels === 'auto' ? (coloured ? 3 : 1) : channels];
}

/** Thrown where an image needs a larger shape. */
export class Outgrown extends Error {
  /** The least that it needs. */
  readonly needed: ImageShape;

  constructor(needed: ImageShape) {
    super(`an image needs ${needed.join(' x ')}`);
    this.needed = needed;
  }
}

/** The shape that holds what both do. */
export function joinShapes(a: ImageShape, b: ImageShape): ImageShape {
  return [Math.max(a[0], b[0]), Math.max(a[1], b[1]), Math.max(a[2], b[2])];
}

/** Calls `load` with the least shape, and again with a larger one for as long as an image has {@link Outgrown} it. */
export async function inLeastShape<Result>(
  wanted: WantedShape,
  load: (shape: ImageShape) => Result | Promise<Result>,
): Promise<Result> {
  for (let shape = shapeFor(wanted, SMALLEST, false); ; ) {
    try {
      return await load(shape);
    } catch (error) {
      if (!(error instanceof Outgrown)) throw error;
      shape = joinShapes(shape, error.needed);
    }
  }
}
