// From what `--data` names to a dataset, by looking at it: MNIST's own files, which are checked to the bit, or files of arrays.
import { readdirSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { GanglionError } from '../../shared/error.ts';
import type { ImageShape } from '../../shared/model/spec.ts';
import { kindOf } from '../files/regular-file.ts';
import type { Settings } from '../settings/settings-table.ts';
import { type ArrayFile, isNamedAsArray, looksLikeArray, readHeader, roleOf } from './array-file.ts';
import { type ChosenArrays, chooseArrays, haveOneSubject, withoutDoubles } from './choose-arrays.ts';
import { type Dataset, toDataset } from './dataset.ts';
import { filesIn } from './folder-files.ts';
import { isMnistFolder, loadIdxFolder } from './idx-folder.ts';
import { loadArrays } from './load-arrays.ts';
import { allocateImages } from './memory.ts';
import { loadMnistPackage } from './mnist-package.ts';
import { Preparation, type PreparationOptions } from './preparation.ts';
import { diskFile, readError, type SourceFile } from './source-file.ts';

/** The settings that say which images, and how they are prepared. */
export type DataSettings = Pick<Settings, 'data' | 'resize' | 'transpose' | 'invert' | 'background'>;

/** Which images, and as what. */
export interface DataRequest {
  readonly settings: DataSettings;
  /** Shape of the images to make. */
  readonly shape: ImageShape;
  /** Called now and then with images done and in all; what it throws ends the reading. */
  readonly onProgress?: (done: number, total: number) => void;
}

/**
 * The images, prepared.
 * @throws GanglionError `data` where the path holds no images or damaged ones, `environment` where it cannot be read
 */
export async function loadData({ settings, shape, onProgress = () => {} }: DataRequest): Promise<Dataset> {
  const preparation = new Preparation(toOptions(settings), shape);
  const { data: path } = settings;
  if (path === null) return prepareAll(loadMnistPackage(), preparation);
  if (isFolder(path) && isMnistFolder(path)) return prepareAll(loadIdxFolder(path), preparation);
  const arrays = isFolder(path) ? await findArrays(path) : await openArrays(path);
  const name = `${basename(resolve(path))} (${toCount(arrays.images.shape[0] ?? 0)} images)`;
  return loadArrays(arrays, { name, preparation, onProgress });
}

const COLOURS: Readonly<Record<string, string>> = { black: '#000000', white: '#ffffff' };

function toOptions({ resize, transpose, invert, background }: DataSettings): PreparationOptions {
  const colour = COLOURS[background] ?? background;
  const part = (at: number): number => Number.parseInt(colour.slice(at, at + 2), 16);
  return {
    resize,
    transpose: transpose === 'on',
    invert: invert === 'on',
    background: [part(1), part(3), part(5)],
  };
}

/** `60,000`. */
function toCount(count: number): string {
  return count.toLocaleString('en');
}

function isFolder(path: string): boolean {
  try {
    const stats = statSync(path);
    if (stats.isFile() || stats.isDirectory()) return stats.isDirectory();
    throw new GanglionError('data', `cannot read ${path}: expected a file or a folder, got ${kindOf(stats)}`);
  } catch (error) {
    throw readError(path, error);
  }
}

/** Names of files that hold no images, and would be many beside them. */
const OTHER = /\.(txt|md|html?|json|xml|ya?ml|pdf|py|ipynb|db|log|c|h)$/i;

async function findArrays(folder: string): Promise<ChosenArrays> {
  const files = withoutDoubles(filesIn(folder).filter(({ path }) => !OTHER.test(path)));
  const arrays: ArrayFile[] = [];
  for (const file of files) if (await looksLikeArray(file)) arrays.push(await readHeader(file));
  const chosen = chooseArrays(arrays, folder);
  if (chosen !== undefined) return chosen;
  throw new GanglionError('data', `data folder ${folder}: expected images (idx, npy), got ${toList(files)}`);
}

/** The first names of a folder, for a message. */
function toList(files: readonly SourceFile[]): string {
  if (files.length === 0) return 'an empty folder';
  const shown = files.slice(0, 8).map(({ path }) => path);
  return files.length > 8 ? `${shown.join(', ')} and ${files.length - 8} more` : shown.join(', ');
}

/** An array of images by its path, with the labels that lie beside it. */
async function openArrays(path: string): Promise<ChosenArrays> {
  const file = diskFile(path, basename(path));
  const images = await readHeader(file);
  if (roleOf(images) !== 'images') {
    throw new GanglionError('data', `${path}: expected an array of images, got one of ${images.shape.join(' x ')}`);
  }
  const beside = withoutDoubles(
    filesBeside(path).filter((other) => isNamedAsArray(other.path) && haveOneSubject(other, file)),
  );
  const arrays = await Promise.all(beside.map(readHeader));
  const labels = arrays.filter((array) => roleOf(array) === 'labels');
  return chooseArrays([images, ...labels], path) ?? { images, labels: undefined };
}

/** The entries of a file's folder. */
function filesBeside(path: string): SourceFile[] {
  const folder = dirname(path);
  try {
    return readdirSync(folder).map((name) => diskFile(join(folder, name), name));
  } catch (error) {
    throw readError(folder, error);
  }
}

/** The same images, with the name of their set where it is known, prepared as the model takes them. */
function prepareAll(dataset: Dataset, preparation: Preparation): Dataset {
  const [height, width, channels] = dataset.imageShape;
  const size = height * width * channels;
  const outSize = preparation.shape.reduce((a, b) => a * b, 1);
  if (preparation.isNothing(dataset.imageShape)) return dataset;
  const out = allocateImages(dataset.count, outSize, dataset.name);
  for (let i = 0; i < dataset.count; i++) {
    const pixels = dataset.images.subarray(i * size, (i + 1) * size);
    preparation.write({ width, height, channels, pixels }, out.subarray(i * outSize, (i + 1) * outSize));
  }
  const { name, labels, classNames } = dataset;
  return toDataset(name, out, labels, preparation.shape, { classNames, preparation: preparation.describe() });
}
