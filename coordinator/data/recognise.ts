// What files are, by looking at them, and which of them are the images. Of a folder with more than one kind the first of these counts:
// arrays, pictures, Parquet, tables, an archive.
import { readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { GanglionError } from '../../shared/error.ts';
import { kindOfPicture } from '../images/decode.ts';
import { isArray, isNamedAsArray, readHeader, roleOf } from './array-file.ts';
import { chooseArrays, chooseOne, forTraining, haveOneSubject, withoutDoubles } from './choose-arrays.ts';
import type { Dataset } from './dataset.ts';
import { loadArrays } from './load-arrays.ts';
import type { LoadOptions } from './load-options.ts';
import { loadPictures } from './load-pictures.ts';
import { isParquet, picturesInParquet } from './parquet-files.ts';
import { arrangePictures, isNamedAsPicture } from './picture-files.ts';
import { diskFile, peek, readError, type SourceFile } from './source-file.ts';
import { firstLine, loadTable } from './table-file.ts';
import { filesInTar, isTar } from './tar-files.ts';
import { isZip, withZip } from './zip-files.ts';

/** Enough of a file to know it by. */
const HEAD = 512;

/** Names of files that hold no images, and would be many beside them. */
const OTHER = /\.(txt|md|html?|json|xml|ya?ml|pdf|py|ipynb|db|log|c|h|ini|lnk)$/i;
/** Names of tables: other text is none. */
const TABLES = /\.(csv|tsv)(\.gz)?$/i;
const TAKEN = 'pictures, idx, npy, npz, CSV, Parquet, or a ZIP or tar of them';
/** Of files whose names say nothing, so many are looked at. */
const MOST_LOOKED_AT = 1000;

type Kind = 'array' | 'picture' | 'parquet' | 'table' | 'zip' | 'tar' | 'other';

/** Archives that Node cannot open, by their first bytes. */
const UNREADABLE: Readonly<Record<string, string>> = {
  fd377a58: 'xz',
  '425a68': 'bzip2',
  '377abcaf': '7-Zip',
  '52617221': 'RAR',
  '28b52ffd': 'Zstandard',
};

/** @throws GanglionError `data` for an archive that has to be unpacked first */
async function kindOfFile(file: SourceFile): Promise<Kind> {
  if (isNamedAsPicture(file)) return 'picture';
  const head = await peek(file, HEAD);
  if (isArray(file.path, head)) return 'array';
  if (isParquet(head)) return 'parquet';
  if (isZip(head)) return 'zip';
  if (isTar(head)) return 'tar';
  if (kindOfPicture(head) !== undefined) return 'picture';
  const line = TABLES.test(file.path) ? firstLine(head) : undefined;
  if (line !== undefined && /[,;\t]/.test(line)) return 'table';
  const hex = Buffer.from(head.subarray(0, 4)).toString('hex');
  const packed = Object.entries(UNREADABLE).find(([magic]) => hex.startsWith(magic));
  if (packed === undefined || file.place === undefined) return 'other';
  throw new GanglionError('data', `${file.name}: expected images, got an archive of ${packed[1]}: unpack it first`);
}

/** Loads the images among files. @param where they lie, for messages. @throws GanglionError `data` where there are none */
export async function loadFiles(files: readonly SourceFile[], where: string, options: LoadOptions): Promise<Dataset> {
  const pictures = files.filter(isNamedAsPicture);
  const kinds: Record<Kind, SourceFile[]> = {
    array: [],
    picture: pictures,
    parquet: [],
    table: [],
    zip: [],
    tar: [],
    other: [],
  };
  const unnamed = files.filter((file) => !isNamedAsPicture(file) && !OTHER.test(file.path));
  for (const file of withoutDoubles(unnamed).slice(0, MOST_LOOKED_AT)) kinds[await kindOfFile(file)].push(file);
  const arrays = await Promise.all(kinds.array.map(readHeader));
  const chosen = chooseArrays(arrays, where);
  if (chosen !== undefined) return loadArrays(chosen, options);
  if (kinds.picture.length > 0) return loadPictures(arrangePictures(kinds.picture), options);
  if (kinds.parquet.length > 0) return loadPictures(await picturesInParquet(forTraining(kinds.parquet)), options);
  const table = chooseOne(kinds.table, where);
  if (table !== undefined) return loadTable(table, options);
  const archive = chooseOne([...kinds.zip, ...kinds.tar], where);
  if (archive?.place !== undefined) return loadFile(archive.place, options);
  throw new GanglionError('data', `${where}: expected images (${TAKEN}), got ${toList(files)}`);
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
  switch (kind) {
    case 'array':
      return loadArrayFile(file, path, options);
    case 'picture':
      return loadPictures(arrangePictures([file]), options);
    case 'parquet':
      return loadPictures(await picturesInParquet([file]), options);
    case 'table':
      return loadTable(file, options);
    case 'zip':
      return withZip(path, (files) => loadFiles(files, path, options));
    case 'tar':
      return loadFiles(await filesInTar(file, path), path, options);
    default:
      throw new GanglionError('data', `${path}: expected images (${TAKEN}), got something else`);
  }
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
