// What is asked of the judge of generated images, and what it answers. The coordinator asks; workers/judge draws and computes.
import type { Backend } from './backend.ts';
import type { PlainError } from './error.ts';
import type { ImageShape, ModelSpec } from './model/spec.ts';

/** Figures of generated images beside real ones; docs/evaluation.md says how each is defined. */
export interface Figures {
  /** Images drawn. */
  readonly count: number;
  /** Fréchet distance between the features of drawn and of real images, at least 0; the features are those of Ganglion's own classifier. */
  readonly frechetDistance: number;
  /** The same distance between two disjoint sets of real images, one of them as large as the drawn set: what a perfect generator gets. */
  readonly floor: number;
  /** Real images of the smaller set of the floor: `count`, where the data has as many to spare. */
  readonly floorCount: number;
  /** Share of drawn images that look like a real one, 0 to 1. */
  readonly precision: number;
  /** Share of real images that the drawn ones cover, 0 to 1. */
  readonly recall: number;
  /** Share of drawn images of every digit 0 to 9; null where the data's labels are not these digits, as are the next three. */
  readonly classShares: readonly number[] | null;
  /** The same shares of the real images. */
  readonly realShares: readonly number[] | null;
  /** Half the sum of the absolute differences of both: 0 to 1. */
  readonly totalVariation: number | null;
  /** Mean probability of the most probable digit, 0 to 1. */
  readonly confidence: number | null;
  /** How near drawn images are to training images; null where that was not asked for. */
  readonly nearest: Nearest | null;
}

/** Root mean square difference of pixels in [0, 1] between an image and the training image that is nearest to it. */
export interface Nearest {
  /** Mean over the first 64 drawn images, and the smallest of these. */
  readonly drawn: number;
  readonly least: number;
  /** Mean over 64 real images: those held out where there are some, else training images, each beside all others. */
  readonly real: number;
}

/** Which weights of a generator: those of training, or their exponential moving average. */
export type Weights = 'raw' | 'ema';

/** Figures of a step. */
export interface Evaluation extends Figures {
  readonly step: number;
  readonly weights: Weights;
}

/** Some images of a larger array. */
export interface ImageSet {
  /** uint8 [*, height, width, channels], in shared memory. */
  readonly images: Uint8Array;
  /** Those that are meant. */
  readonly indices: Uint32Array;
}

/** The real images that drawn ones are judged by. */
export interface RealImages {
  /** Of an image. */
  readonly shape: ImageShape;
  /** Names the data and the choice of images, for the cache: hexadecimal digits. */
  readonly key: string;
  readonly reference: ImageSet;
  /** Labels of the reference, in the order of its indices; null where the data has none. */
  readonly labels: ArrayLike<number> | null;
  /** Others, for the floor; where there are too few the reference is cut in two. */
  readonly others: ImageSet;
  readonly training: ImageSet;
  /** Whether the reference is a part of the training images. */
  readonly isTrainedOn: boolean;
}

/** One evaluation. */
export interface JudgeJob {
  readonly backend: Backend;
  /** Number of the GPU, where the backend has a choice. */
  readonly gpu?: number;
  readonly spec: ModelSpec;
  /** Of the generator, in the layout's order: its parameters, and the running statistics of BatchNorm. */
  readonly parameters: Float32Array;
  readonly statistics: Float32Array;
  readonly seed: number;
  readonly count: number;
  readonly real: RealImages;
  /** Whether to look for the nearest training images. */
  readonly nearest: boolean;
  /** Whether to leave the processor to whatever else runs, such as the replicas of a training. */
  readonly yields: boolean;
}

export type JudgeOutcome =
  | { readonly ok: true; readonly figures: Figures }
  | { readonly ok: false; readonly error: PlainError };
