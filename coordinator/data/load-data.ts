// From what `--data` names to a dataset, by looking at it: MNIST's own files, which are checked to the bit; files of arrays; pictures.
import { statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { toCacheFolder } from '../../shared/cache-folder.ts';
import { GanglionError } from '../../shared/error.ts';
import type { ImageShape } from '../../shared/model/spec.ts';
import { kindOf } from '../files/regular-file.ts';
import type { Settings } from '../settings/settings-table.ts';
import { type Dataset, toDataset } from './dataset.ts';
import { filesIn } from './folder-files.ts';
import { isMnistFolder, loadIdxFolder } from './idx-folder.ts';
import type { LoadOptions } from './load-options.ts';
import { allocateImages } from './memory.ts';
import { loadMnistPackage } from './mnist-package.ts';
import { Preparation, type PreparationOptions } from './preparation.ts';
import { readError } from './source-file.ts';

/** The settings that say which images, and how they are prepared. */
export type DataSettings = Pick<Settings, 'data' | 'resize' | 'transpose' | 'invert' | 'background' | 'skipBroken'>;

/** Which images, and as what. */
export interface DataRequest extends Partial<Pick<LoadOptions, 'onProgress' | 'onNotice' | 'cacheFolder'>> {
  readonly settings: DataSettings;
  /** Shape of the images to make. */
  readonly shape: ImageShape;
}

/**
 * The images, prepared.
 * @throws GanglionError `data` where the path holds no images or damaged ones, `environment` where it cannot be read
 */
export async function loadData({ settings, shape, ...host }: DataRequest): Promise<Dataset> {
  const preparation = new Preparation(toOptions(settings), shape);
  const { data: path } = settings;
  if (path === null) return prepareAll(loadMnistPackage(), preparation);
  const isFolder = checkFolder(path);
  if (isFolder && isMnistFolder(path)) return prepareAll(loadIdxFolder(path), preparation);
  const options: LoadOptions = {
    name: basename(resolve(path)),
    preparation,
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
