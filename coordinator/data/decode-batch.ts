// Decodes and prepares some pictures. What is wrong with one is an answer, not an error: all are looked at before anything is said.

import { GanglionError, messageOf, type PlainError } from '../../shared/error.ts';
import { sizeOf } from '../../shared/model/shape.ts';
import type { ImageShape } from '../../shared/model/spec.ts';
import { readRegularSync } from '../files/regular-file.ts';
import { decodePicture } from '../images/decode.ts';
import { MOST_PIXELS, Preparation, type PreparationFacts, type PreparationOptions } from './preparation.ts';
import { readError } from './source-file.ts';
import { joinShapes, Outgrown, type WantedShape } from './wanted-shape.ts';

/** More bytes no picture's file may have. */
export const MOST_FILE_BYTES = 2 ** 28;

export interface DecodeJob {
  /** Files on the disk by their paths, or what a file of an archive holds. */
  readonly pictures: readonly (string | Uint8Array)[];
  readonly options: PreparationOptions;
  readonly shape: ImageShape;
  readonly wanted: WantedShape | null;
}

export interface DecodedBatch {
  /** Shape [pictures, ...shape]; that of a picture which cannot be used is left as it was. */
  readonly images: Uint8Array;
  /** What is wrong with each picture; null for nothing. */
  readonly faults: readonly (string | null)[];
  readonly facts: PreparationFacts;
  /** What pictures need that have outgrown the shape. */
  readonly outgrown?: ImageShape;
  /** What ends the whole, such as a decoder that is missing. */
  readonly error?: PlainError;
}

/** Pictures that are decoded at a time by sharp, which has threads of its own. */
const TOGETHER = 4;

/** Decodes a batch. */
export async function decodeBatch({ pictures, options, shape, wanted }: DecodeJob): Promise<DecodedBatch> {
  const preparation = new Preparation(options, shape, wanted);
  const size = sizeOf(shape);
  const images = new Uint8Array(pictures.length * size);
  const faults = new Array<string | null>(pictures.length).fill(null);
  let error: PlainError | undefined;
  let outgrown: ImageShape | undefined;
  let next = 0;
  const work = async (): Promise<void> => {
    for (let i = next++; i < pictures.length && error === undefined; i = next++) {
      const picture = pictures[i] ?? '';
      try {
        const bytes = typeof picture === 'string' ? readPicture(picture) : picture;
        const decoded = await decodePicture(bytes, MOST_PIXELS);
        preparation.write(decoded, images.subarray(i * size, (i + 1) * size));
      } catch (cause) {
        if (cause instanceof Outgrown) outgrown = joinShapes(outgrown ?? shape, cause.needed);
        else if (cause instanceof GanglionError && cause.code === 'environment') error = cause.toPlain();
        else faults[i] = messageOf(cause);
      }
    }
  };
  await Promise.all(Array.from({ length: TOGETHER }, work));
  const { facts } = preparation;
  return { images, faults, facts, ...(outgrown && { outgrown }), ...(error && { error }) };
}

/** At once: a file is small, and 60,000 of them read beside the event loop take four times as long. */
export function readPicture(path: string): Uint8Array {
  try {
    return readRegularSync(path, MOST_FILE_BYTES);
  } catch (error) {
    throw readError(path, error);
  }
}
