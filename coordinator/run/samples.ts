// Grids of a run: samples from fixed noise, and once real images to compare.
import { imageShapeOf } from '../../shared/model/spec.ts';
import type { SampleJob } from '../../shared/protocol.ts';
import type { Dataset } from '../data/dataset.ts';
import { toGrid } from '../images/grid.ts';
import { writePngSync } from '../images/png.ts';
import { shuffle } from '../training/sampler.ts';
import type { TrainingState } from '../training/state.ts';

/** Images of a grid, and a row of it. */
const COUNT = 64;
const COLUMNS = 8;

/** Draws the grid of the generator, of the averaged one where there is one, on running statistics; noise i depends on (seed, i) only, so grids can be compared. @returns the PNG file's bytes */
export async function writeSampleGrid(
  path: string,
  seed: number,
  { spec, generator, average }: TrainingState,
  sample: (job: SampleJob) => Promise<Float32Array>,
): Promise<Uint8Array> {
  const { statistics, parameters } = average ?? { ...generator, parameters: undefined };
  const images = await sample({ seed, count: COUNT, statistics, parameters });
  return writePngSync(path, toGrid(images, COUNT, COLUMNS, imageShapeOf(spec)));
}

/** Real images, chosen by the seed. */
export function writeRealGrid(path: string, seed: number, dataset: Dataset): void {
  const count = Math.min(COUNT, dataset.count);
  const size = dataset.images.length / dataset.count;
  const images = new Uint8Array(count * size);
  for (const [i, image] of shuffle(seed, 0, dataset.count).subarray(0, count).entries()) {
    images.set(dataset.images.subarray(image * size, (image + 1) * size), i * size);
  }
  writePngSync(path, toGrid(images, count, COLUMNS, dataset.imageShape));
}
