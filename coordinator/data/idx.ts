// The idx format of the MNIST files: two zero bytes, the type of the values (0x08: unsigned bytes), the number of dimensions,
// their sizes as big-endian uint32, then the values in row-major order (LeCun, Cortes: "The MNIST database").
import { GanglionError } from '../../shared/error.ts';

/** Length in bytes of an idx file of unsigned bytes of `shape`. */
export function idxLength(shape: readonly number[]): number {
  return headerLength(shape) + shape.reduce((product, size) => product * size, 1);
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

function headerLength(shape: readonly number[]): number {
  return 4 + 4 * shape.length;
}

function toHex(word: number): string {
  return `0x${word.toString(16).padStart(8, '0')}`;
}
