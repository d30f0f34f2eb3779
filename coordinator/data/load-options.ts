// What a loader of images is told, whatever they lie in, and how it comes to images of one shape.
import { Preparation, type PreparationOptions } from './preparation.ts';
import { inLeastShape, type WantedShape } from './wanted-shape.ts';

export interface LoadOptions {
  /** What the data is called where it is no known set. */
  readonly name: string;
  /** How images are prepared. */
  readonly options: PreparationOptions;
  /** Of the images to make. */
  readonly wanted: WantedShape;
  /** Called now and then with images done and in all; what it throws ends the reading. */
  readonly onProgress: (done: number, total: number) => void;
  /** Receives a line for people, such as what is left out. */
  readonly onNotice: (line: string) => void;
  /** Leaves out pictures that cannot be used. */
  readonly skipBroken: boolean;
  /** Where decoded pictures are kept between runs; null for nowhere. */
  readonly cacheFolder: string | null;
}

/** Calls `load` with a preparation whose shape holds every image: again, where one was too small for an image. */
export function prepare<Result>(
  { options, wanted }: Pick<LoadOptions, 'options' | 'wanted'>,
  load: (preparation: Preparation) => Result | Promise<Result>,
): Promise<Result> {
  return inLeastShape(wanted, (shape) => load(new Preparation(options, shape, wanted)));
}
