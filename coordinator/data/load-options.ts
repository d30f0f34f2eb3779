// What a loader of images is told, whatever they lie in.
import type { Preparation } from './preparation.ts';

export interface LoadOptions {
  /** What the data is called where it is no known set. */
  readonly name: string;
  readonly preparation: Preparation;
  /** Called now and then with images done and in all; what it throws ends the reading. */
  readonly onProgress: (done: number, total: number) => void;
  /** Receives a line for people, such as what is left out. */
  readonly onNotice: (line: string) => void;
  /** Leaves out pictures that cannot be used. */
  readonly skipBroken: boolean;
  /** Where decoded pictures are kept between runs; null for nowhere. */
  readonly cacheFolder: string | null;
}
