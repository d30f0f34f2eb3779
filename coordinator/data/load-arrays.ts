// A dataset from array files: their images are read a few at a time and prepared, so that memory holds the prepared ones alone.

import { GanglionError } from '../../shared/error.ts';
import { sizeOf } from '../../shared/model/shape.ts';
import { imageShapeOf, openArray, readLabels } from './array-file.ts';
import type { ChosenArrays } from './choose-arrays.ts';
import { type Dataset, nameWithCount, toDataset } from './dataset.ts';
import { nameOfKnown } from './known-sets.ts';
import { type LoadOptions, prepare } from './load-options.ts';
import { allocateImages } from './memory.ts';
import { MOST_PIXELS, type Preparation } from './preparation.ts';
import { toBytes } from './value-type.ts';

/** Most bytes that are read at once, where an image is not larger. */
const TOGETHER = 2 ** 20;

/** Reads them. @throws GanglionError `data` for files that are not what their headers say, `environment` where they cannot be read */
export function loadArrays(chosen: ChosenArrays, options: LoadOptions): Promise<Dataset> {
  return prepare(options, (preparation) => readArrays(chosen, preparation, options));
}

async function readArrays(
  { images, labels }: ChosenArrays,
  preparation: Preparation,
  { name, onProgress }: LoadOptions,
): Promise<Dataset> {
  const { file, type, shape } = images;
  const [count = 0] = shape;
  const { shape: imageShape, channelsFirst } = imageShapeOf(images);
  const [height, width, channels] = imageShape;
  const size = height * width * channels;
  if (count === 0 || size === 0 || height * width > MOST_PIXELS) {
    const expected = `at least one image, of 1 to ${MOST_PIXELS} pixels`;
    throw new GanglionError('data', `${file.name}: expected ${expected}, got an array of ${shape.join(' x ')}`);
  }
  const outSize = sizeOf(preparation.shape);
  const out = allocateImages(count, outSize, file.name);
  const reader = await openArray(images);
  const together = Math.max(1, Math.floor(TOGETHER / (size * type.bytes)));
  try {
    for (let i = 0; i < count; i += together) {
      const some = Math.min(together, count - i);
      const bytes = toBytes(await reader.take(some * size), type, file.name);
      for (let j = 0; j < some; j++) {
        const values = bytes.subarray(j * size, (j + 1) * size);
        const pixels = channelsFirst ? channelsLast(values, height * width, channels) : values;
        preparation.write({ width, height, channels, pixels }, out.subarray((i + j) * outSize, (i + j + 1) * outSize));
      }
      onProgress(i + some, count);
    }
    await reader.end();
  } finally {
    await reader.close();
  }
  const classes = labels === undefined ? new Uint32Array(0) : await readLabels(labels);
  const dataset = toDataset(nameWithCount(name, count), out, classes, preparation.shape, {
    preparation: preparation.describe(),
  });
  return { ...dataset, name: nameOfKnown(dataset.sha256, reader.hashes()) ?? dataset.name };
}

/** [channels, pixels] as [pixels, channels]. */
function channelsLast(values: Uint8Array, pixels: number, channels: number): Uint8Array {
  const last = new Uint8Array(values.length);
  for (let c = 0; c < channels; c++) {
    for (let i = 0; i < pixels; i++) last[i * channels + c] = values[c * pixels + i] as number;
  }
  return last;
}
