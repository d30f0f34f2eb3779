// The idx format of the MNIST files: two zero bytes, the type of the values (0x08: unsigned bytes), the number of dimensions,
// their sizes as big-endian uint32, then the values in row-major order (LeCun, Cortes: "The MNIST database").

import { GanglionError } from '../../shared/error.ts';
import { sizeOf } from '../../shared/model/shape.ts';

/** Length in bytes of an idx file of unsigned bytes of `shape`. */
export function idxLength(shape: readonly number[]): number {
  return headerLength(shape) + sizeOf(shape);
}

/**
 * The values of an idx file of unsigned bytes, row-major: a view into `bytes`.
 * @param name the file, for messages.
 * @param shape the sizes that the header must state, such as [60000, 28, 28].
 * @throws GanglionError `data` for a short header, another magic number, other sizes, or missing or surplus bytes.
 */
export function parseIdx(bytes: Uint8Array, name: string, shape: readonly number[]): Uint8Array {
  const expect = (what: string, expected: string, got: string): void => {
    if (got !== expected) throw new GanglionError('data', `${name}: expected ${what} ${expected}, got ${got}`);
  };
  const header = headerLength(shape);
  if (bytes.length < header) {
    throw new GanglionError('data', `${name}: expected a header of ${header} bytes, got ${bytes.length} bytes`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, header);
  expect('the magic number', toHex(0x0800 + shape.length), toHex(view.getUint32(0)));
  const sizes = shape.map((_, dimension) => view.getUint32(4 + 4 * dimension));
  expect('the sizes', shape.join(' x '), sizes.join(' x '));
  expect('a length in bytes of', String(idxLength(shape)), String(bytes.length));
  return bytes.subarray(header);
}

/** What the header of an idx file says. */
export interface IdxHeader {
  /** Code of the values' type: 0x08 is unsigned bytes. */
  readonly type: number;
  readonly shape: readonly number[];
  /** Bytes before the values. */
  readonly length: number;
}

/** The first of a file's bytes are enough for this many dimensions. */
export const MOST_IDX_DIMENSIONS = 4;

/** Reads a header. @throws GanglionError `data` for bytes that are none */
export function parseIdxHeader(bytes: Uint8Array, name: string): IdxHeader {
  const fail = (expected: string, got: string): never => {
    throw new GanglionError('data', `${name}: expected ${expected}, got ${got}`);
  };
  if (bytes.length < 4) return fail('a header of an idx file', `${bytes.length} bytes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const magic = view.getUint32(0);
  const [type, dimensions] = [magic >>> 8, magic & 255];
  if (!(type >= 0x08 && type <= 0x0e) || dimensions < 1 || dimensions > MOST_IDX_DIMENSIONS) {
    return fail('the magic number of an idx file, such as 0x00000803', toHex(magic));
  }
  const length = 4 + 4 * dimensions;
  if (bytes.length < length) return fail(`a header of ${length} bytes`, `${bytes.length} bytes`);
  const shape = Array.from({ length: dimensions }, (_, i) => view.getUint32(4 + 4 * i));
  return { type, shape, length };
}

function headerLength(shape: readonly number[]): number {
  return 4 + 4 * shape.length;
}

function toHex(word: number): string {
  return `0x${word.toString(16).padStart(8, '0')}`;
}
