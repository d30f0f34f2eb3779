// Which of several array files are the images to train on, and which their classes: by shapes, and by the names that MNIST, EMNIST, QMNIST,
// Keras and MedMNIST give (`train-images-idx3-ubyte`, `emnist-letters-train-labels-idx1-ubyte`, `x_train`, `val_images`).
import { basename, dirname } from 'node:path/posix';
import { GanglionError } from '../../shared/error.ts';
import { type ArrayFile, roleOf } from './array-file.ts';
import type { SourceFile } from './source-file.ts';

/** Images with their classes. */
export interface ChosenArrays {
  readonly images: ArrayFile;
  readonly labels: ArrayFile | undefined;
}

/** Which part of a set a name speaks of. */
function splitOf(name: string): 'train' | 'test' | undefined {
  if (/train/i.test(name)) return 'train';
  return /t10k|test|(^|[^a-z])val(id|idation)?([^a-z]|$)/i.test(name) ? 'test' : undefined;
}

const withoutEnding = (name: string): string => name.replace(/\.(gz|npy)$/i, '').replace(/\.(gz|npy)$/i, '');

/** One spelling for all that tools make of a file's name: `train-images.idx3-ubyte`, also as a folder with the file in it. */
function canonicalPath(path: string): string {
  const name = withoutEnding(basename(path)).replace(/\.idx/i, '-idx');
  const folder = dirname(path);
  const inItself = withoutEnding(basename(folder)).replace(/\.idx/i, '-idx') === name;
  return `${inItself ? dirname(folder) : folder}/${name}`;
}

/** One of the files that are the same but for their name or packing: the packed one, else the one that lies highest. */
export function withoutDoubles(files: readonly SourceFile[]): SourceFile[] {
  const rank = ({ path }: SourceFile): number => (path.endsWith('.gz') ? 0 : 1000) + path.split('/').length;
  const chosen = new Map<string, SourceFile>();
  for (const file of files) {
    const key = canonicalPath(file.path);
    const other = chosen.get(key);
    if (other === undefined || rank(file) < rank(other)) chosen.set(key, file);
  }
  return [...chosen.values()];
}

/** Words of a name that say which images it speaks of, without those that say what of them. */
function subjectOf(path: string): string {
  const words = canonicalPath(path).split(/[^a-z0-9]+/i);
  return words
    .filter((word) => !/^(images?|imgs?|x|labels?|targets?|y|idx\d|ubyte|u?int|byte|)$/i.test(word))
    .join(' ');
}

/** Whether two files speak of the same images. */
export function haveOneSubject(a: SourceFile, b: SourceFile): boolean {
  return subjectOf(a.path) === subjectOf(b.path);
}

/**
 * The images to train on: the only ones, or the only ones for training.
 * @returns undefined where no array can be images
 * @throws GanglionError `data` where there are several
 */
export function chooseArrays(arrays: readonly ArrayFile[], where: string): ChosenArrays | undefined {
  const all = arrays.filter((array) => roleOf(array) === 'images');
  const file = chooseOne(
    all.map((array) => array.file),
    where,
  );
  const images = all.find((array) => array.file === file);
  if (images === undefined) return undefined;
  const labels = arrays.filter((array) => roleOf(array) === 'labels');
  const named = labels.filter(({ file }) => haveOneSubject(file, images.file));
  const fitting = labels.filter(({ shape, file }) => shape[0] === images.shape[0] && splitOf(file.path) === undefined);
  const [chosen] = named.length > 0 ? named : labels.length === 1 ? fitting : [];
  if (chosen !== undefined && chosen.shape[0] !== images.shape[0]) {
    const got = `${chosen.shape[0]}, and ${images.shape[0]} images in ${images.file.name}`;
    throw new GanglionError('data', `${chosen.file.name}: expected a class for every image, got ${got}`);
  }
  return { images, labels: chosen };
}

/** Of the files of a set, those for training; else those of no part; else those for tests. */
export function forTraining(files: readonly SourceFile[]): readonly SourceFile[] {
  const of = (split: 'train' | 'test' | undefined) => files.filter(({ path }) => splitOf(path) === split);
  return [of('train'), of(undefined), of('test')].find((some) => some.length > 0) ?? [];
}

/** The only file for training. @throws GanglionError `data` where there are several */
export function chooseOne(files: readonly SourceFile[], where: string): SourceFile | undefined {
  const candidates = forTraining(files);
  const [one] = candidates;
  if (candidates.length <= 1) return one;
  const names = candidates.map(({ path }) => path);
  const shown = names.length > 6 ? `${names.slice(0, 6).join(', ')} and ${names.length - 6} more` : names.join(', ');
  throw new GanglionError('data', `${where}: expected one set of images, got ${shown}; name one of them`);
}
