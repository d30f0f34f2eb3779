// From what `--data` names to a dataset, by looking at it: MNIST's own files, which are checked to the bit; files of arrays; pictures.

import { statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { toCacheFolder } from '../../shared/cache-folder.ts';
import { GanglionError } from '../../shared/error.ts';
import { sizeOf } from '../../shared/model/shape.ts';
import { kindOf } from '../files/regular-file.ts';
import type { Settings } from '../settings/settings-table.ts';
import { type Dataset, toDataset } from './dataset.ts';
import { filesIn } from './folder-files.ts';
import { isMnistFolder, loadIdxFolder } from './idx-folder.ts';
import { type LoadOptions, prepare } from './load-options.ts';
import { allocateImages } from './memory.ts';
import { loadMnistPackage } from './mnist-package.ts';
import type { Preparation, PreparationOptions } from './preparation.ts';
import { readError } from './source-file.ts';

/** The settings that say which images, and how they are prepared. */
export type DataSettings = Pick<
  Settings,
  'data' | 'imageSize' | 'channels' | 'resize' | 'transpose' | 'invert' | 'background' | 'skipBroken'
>;

/** Which images, and as what. */
export interface DataRequest extends Partial<Pick<LoadOptions, 'onProgress' | 'onNotice' | 'cacheFolder'>> {
  readonly settings: DataSettings;
}

/**
 * The images, prepared.
 * @throws GanglionError `data` where the path holds no images or damaged ones, `environment` where it cannot be read
 */
export async function loadData({ settings, ...host }: DataRequest): Promise<Dataset> {
  const { data: path, imageSize, channels } = settings;
  const how = { options: toOptions(settings), wanted: { imageSize, channels } };
  const prepared = (dataset: Dataset) => prepare(how, (preparation) => prepareAll(dataset, preparation));
  if (path === null) return prepared(loadMnistPackage());
  const isFolder = checkFolder(path);
  if (isFolder && isMnistFolder(path)) return prepared(loadIdxFolder(path));
  const options: LoadOptions = {
    name: basename(resolve(path)),
    ...how,
    onProgress: () => {},
    onNotice: () => {},
    skipBroken: settings.skipBroken === 'on',
    cacheFolder: join(toCacheFolder(), 'pictures'),
    ...host,
  };
  // Loaded here: a run on the digits of the package needs none of it.
  const { loadFile, loadFiles } = await import('./recognise.ts');
  return isFolder ? loadFiles(filesIn(path), `data folder ${path}`, options) : loadFile(path, options);
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

/** Whether a path leads to a folder. @throws GanglionError where it leads to neither a folder nor a file */
function checkFolder(path: string): boolean {
  try {
    const stats = statSync(path);
    if (stats.isFile() || stats.isDirectory()) return stats.isDirectory();
    throw new GanglionError('data', `cannot read ${path}: expected a file or a folder, got ${kindOf(stats)}`);
  } catch (error) {
    throw readError(path, error);
  }
}

/** The same images, with the name of their set, prepared as the model takes them. */
function prepareAll(dataset: Dataset, preparation: Preparation): Dataset {
  if (preparation.isNothing(dataset.imageShape)) return dataset;
  const { name, labels, classNames, heldOut } = dataset;
  const prepared = toDataset(name, prepareImages(dataset, preparation), labels, preparation.shape, {
    classNames,
    preparation: preparation.describe(),
  });
  if (heldOut === undefined) return prepared;
  const images = prepareImages({ ...heldOut, imageShape: dataset.imageShape, name }, preparation);
  return { ...prepared, heldOut: { ...heldOut, images } };
}

function prepareImages(
  { images, count, imageShape, name }: Pick<Dataset, 'images' | 'count' | 'imageShape' | 'name'>,
  preparation: Preparation,
): Uint8Array {
  const [height, width, channels] = imageShape;
  const size = height * width * channels;
  const outSize = sizeOf(preparation.shape);
  const out = allocateImages(count, outSize, name);
  for (let i = 0; i < count; i++) {
    const pixels = images.subarray(i * size, (i + 1) * size);
    preparation.write({ width, height, channels, pixels }, out.subarray(i * outSize, (i + 1) * outSize));
  }
  return out;
}
