// Arrays of numbers in files: idx (MNIST's) and npy (NumPy's). Their headers say what they can be: images, or the classes of images.

import { GanglionError } from '../../shared/error.ts';
import { sizeOf } from '../../shared/model/shape.ts';
import { MOST_IDX_DIMENSIONS, parseIdxHeader } from './idx.ts';
import { isNpy, MOST_NPY_HEADER, parseNpyHeader } from './npy-header.ts';
import { type Content, openContent, type SourceFile } from './source-file.ts';
import { idxType, npyType, type ValueType } from './value-type.ts';

export interface ArrayFile {
  readonly file: SourceFile;
  readonly shape: readonly number[];
  readonly type: ValueType;
  /** Bytes before the values. */
  readonly offset: number;
}

/** Whether bytes begin as an array file, or the name says that they should. */
export function isArray(path: string, head: Uint8Array): boolean {
  const [a, b, type = 0, dimensions = 0] = head;
  const isIdx = a === 0 && b === 0 && type >= 8 && type <= 14 && dimensions >= 1 && dimensions <= MOST_IDX_DIMENSIONS;
  return isIdx || isNpy(head) || isNamedAsArray(path);
}

/** Whether a file's name is one of array files: what it holds is then expected to be one. */
export function isNamedAsArray(path: string): boolean {
  return /[.-]idx\d[.-](ubyte|byte|int|short)(\.gz)?$|\.npy(\.gz)?$/i.test(path);
}

/** Reads the header of an array file. @throws GanglionError `data` for bytes that are none */
export async function readHeader(file: SourceFile): Promise<ArrayFile> {
  const head = await headOf(file);
  if (isNpy(head)) {
    const { descr, fortranOrder, shape, length } = parseNpyHeader(head, file.name);
    const type = npyType(descr);
    if (type === undefined)
      throw new GanglionError('data', `${file.name}: expected an array of numbers, got type ${descr}`);
    if (fortranOrder && shape.length > 1) {
      throw new GanglionError(
        'data',
        `${file.name}: expected an array in C order (np.ascontiguousarray), got Fortran order`,
      );
    }
    return { file, shape, type, offset: length };
  }
  const { type: code, shape, length } = parseIdxHeader(head, file.name);
  const type = idxType(code);
  if (type === undefined) throw new GanglionError('data', `${file.name}: expected a known type of values, got ${code}`);
  return { file, shape, type, offset: length };
}

async function headOf(file: SourceFile): Promise<Uint8Array> {
  const { reader, close } = await openContent(file);
  try {
    const start = await reader.take(4 + 4 * MOST_IDX_DIMENSIONS);
    return isNpy(start) ? Buffer.concat([start, await reader.take(MOST_NPY_HEADER)]) : start;
  } finally {
    await close();
  }
}

/** What an array can be; undefined for what is neither images nor their classes. */
export function roleOf({ shape, type }: ArrayFile): 'images' | 'labels' | undefined {
  const [, side = 0] = shape;
  const isSquare = Number.isInteger(Math.sqrt(side)) && side >= 16;
  if (shape.length === 3 || shape.length === 4 || (shape.length === 2 && isSquare && type.bytes === 1)) return 'images';
  // QMNIST has eight numbers for an image, of which the first is the class.
  return shape.length === 1 || (shape.length === 2 && side <= 8) ? 'labels' : undefined;
}

/** Height, width and channels of the images of an array. @throws GanglionError `data` where they are none */
export function imageShapeOf({ file, shape }: ArrayFile): { shape: [number, number, number]; channelsFirst: boolean } {
  const [, a = 0, b = 0, c = 0] = shape;
  const isChannels = (count: number): boolean => count === 1 || count === 3 || count === 4;
  if (shape.length === 2) return { shape: [Math.sqrt(a), Math.sqrt(a), 1], channelsFirst: false };
  if (shape.length === 3) return { shape: [a, b, 1], channelsFirst: false };
  if (isChannels(c)) return { shape: [a, b, c], channelsFirst: false };
  if (isChannels(a)) return { shape: [b, c, a], channelsFirst: true };
  throw new GanglionError('data', `${file.name}: expected 1, 3 or 4 channels, got an array of ${shape.join(' x ')}`);
}

/** Values before the end of an array, of the number of bytes that its header asks for. */
export interface ArrayReader extends Pick<Content, 'hashes' | 'close'> {
  /** The next `count` values' bytes. @throws GanglionError `data` where the file ends before */
  readonly take: (count: number) => Promise<Uint8Array>;
  /** @throws GanglionError `data` where there is more */
  readonly end: () => Promise<void>;
}

/** Opens an array at its first value. */
export async function openArray({ file, shape, type, offset }: ArrayFile): Promise<ArrayReader> {
  const { reader, hashes, close } = await openContent(file);
  const length = offset + type.bytes * sizeOf(shape);
  let read = (await reader.take(offset)).length;
  const fail = (got: number): never => {
    throw new GanglionError('data', `${file.name}: expected a length in bytes of ${length}, got ${got}`);
  };
  return {
    hashes,
    async take(count) {
      const bytes = await reader.take(count * type.bytes);
      read += bytes.length;
      return bytes.length === count * type.bytes ? bytes : fail(read);
    },
    async end() {
      const surplus = await reader.drain();
      if (surplus > 0) fail(read + surplus);
    },
    close,
  };
}

/** Largest number of a class. */
const MOST_CLASSES = 2 ** 16;

/** The classes of an array of labels. @throws GanglionError `data` for other than whole numbers from 0 */
export async function readLabels(array: ArrayFile): Promise<Uint32Array> {
  const [count = 0, width = 1] = array.shape;
  const { read, bytes, name } = array.type;
  if (read === undefined) {
    throw new GanglionError('data', `${array.file.name}: expected classes of whole numbers, got ${name}`);
  }
  const reader = await openArray(array);
  try {
    const values = await reader.take(count * width);
    await reader.end();
    const view = new DataView(values.buffer, values.byteOffset, values.length);
    return Uint32Array.from({ length: count }, (_, i) => {
      const label = read(view, i * width * bytes);
      if (label >= 0 && label < MOST_CLASSES) return label;
      throw new GanglionError(
        'data',
        `${array.file.name}: expected classes from 0 to ${MOST_CLASSES - 1}, got ${label}`,
      );
    });
  } finally {
    await reader.close();
  }
}
