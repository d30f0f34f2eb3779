// What files are, by looking at them, and which of them are the images. Of a folder with more than one kind the first of these counts: arrays,
// pictures.
import { readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { GanglionError } from '../../shared/error.ts';
import { kindOfPicture } from '../images/decode.ts';
import { isArray, isNamedAsArray, readHeader, roleOf } from './array-file.ts';
import { chooseArrays, haveOneSubject, withoutDoubles } from './choose-arrays.ts';
import type { Dataset } from './dataset.ts';
import { loadArrays } from './load-arrays.ts';
import type { LoadOptions } from './load-options.ts';
import { loadPictures } from './load-pictures.ts';
import { isNamedAsPicture } from './picture-files.ts';
import { diskFile, peek, readError, type SourceFile } from './source-file.ts';

/** Enough of a file to know it by. */
const HEAD = 512;

/** Names of files that hold no images, and would be many beside them. */
const OTHER = /\.(txt|md|html?|json|xml|ya?ml|pdf|py|ipynb|db|log|c|h|ini|lnk)$/i;
/** Of files whose names say nothing, so many are looked at. */
const MOST_LOOKED_AT = 1000;

type Kind = 'array' | 'picture' | 'other';

async function kindOfFile(file: SourceFile): Promise<Kind> {
  if (isNamedAsPicture(file)) return 'picture';
  const head = await peek(file, HEAD);
  if (isArray(file.path, head)) return 'array';
  return kindOfPicture(head) === undefined ? 'other' : 'picture';
}

/** Loads the images among files. @param where they lie, for messages. @throws GanglionError `data` where there are none */
export async function loadFiles(files: readonly SourceFile[], where: string, options: LoadOptions): Promise<Dataset> {
  const kinds: Record<Kind, SourceFile[]> = { array: [], picture: files.filter(isNamedAsPicture), other: [] };
  const unnamed = files.filter((file) => !isNamedAsPicture(file) && !OTHER.test(file.path));
  for (const file of withoutDoubles(unnamed).slice(0, MOST_LOOKED_AT)) kinds[await kindOfFile(file)].push(file);
  const arrays = await Promise.all(kinds.array.map(readHeader));
  const chosen = chooseArrays(arrays, where);
  if (chosen !== undefined) return loadArrays(chosen, options);
  if (kinds.picture.length > 0) return loadPictures(kinds.picture, options);
  throw new GanglionError('data', `${where}: expected images (pictures, idx, npy), got ${toList(files)}`);
}

/** The first names, for a message. */
function toList(files: readonly SourceFile[]): string {
  if (files.length === 0) return 'an empty folder';
  const shown = files.slice(0, 8).map(({ path }) => path);
  return files.length > 8 ? `${shown.join(', ')} and ${files.length - 8} more` : shown.join(', ');
}

/** Loads the images of a file on the disk. @throws GanglionError `data` where it holds none */
export async function loadFile(path: string, options: LoadOptions): Promise<Dataset> {
  const file = diskFile(path, basename(path));
  const kind = await kindOfFile(file);
  if (kind === 'array') return loadArrayFile(file, path, options);
  if (kind === 'picture') return loadPictures([file], options);
  throw new GanglionError('data', `${path}: expected images (a picture, idx, npy), got something else`);
}

/** An array of images by its path, with the labels that lie beside it. */
async function loadArrayFile(file: SourceFile, path: string, options: LoadOptions): Promise<Dataset> {
  const images = await readHeader(file);
  if (roleOf(images) !== 'images') {
    throw new GanglionError('data', `${path}: expected an array of images, got one of ${images.shape.join(' x ')}`);
  }
  const isBeside = (other: SourceFile): boolean => isNamedAsArray(other.path) && haveOneSubject(other, file);
  const beside = await Promise.all(withoutDoubles(filesBeside(path).filter(isBeside)).map(readHeader));
  const labels = beside.filter((array) => roleOf(array) === 'labels');
  return loadArrays(chooseArrays([images, ...labels], path) ?? { images, labels: undefined }, options);
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
