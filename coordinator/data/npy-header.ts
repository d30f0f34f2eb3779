// The header of a NumPy array file: a magic, a version, a length, and a Python dictionary of three entries.
// https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
import { GanglionError } from '../../shared/error.ts';
import { show } from '../../shared/printable.ts';

export interface NpyHeader {
  /** Such as `|u1` or `<i8`. */
  readonly descr: string;
  readonly fortranOrder: boolean;
  readonly shape: readonly number[];
  /** Bytes before the values. */
  readonly length: number;
}

/** A header is shorter: it grows with the dimensions only. */
export const MOST_NPY_HEADER = 4096;

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];

/** Whether bytes begin as a NumPy array file. */
export function isNpy(bytes: Uint8Array): boolean {
  return MAGIC.every((byte, i) => bytes[i] === byte);
}

/** Reads a header. @throws GanglionError `data` for bytes that are none */
export function parseNpyHeader(bytes: Uint8Array, name: string): NpyHeader {
  const fail = (got: string): never => {
    throw new GanglionError('data', `${name}: expected the header of a NumPy array, got ${got}`);
  };
  if (!isNpy(bytes) || bytes.length < 12) return fail(`${bytes.length} bytes of something else`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const wide = (bytes[6] ?? 0) >= 2;
  const start = wide ? 12 : 10;
  const length = start + (wide ? view.getUint32(8, true) : view.getUint16(8, true));
  if (length > MOST_NPY_HEADER || length > bytes.length) return fail(`one of ${length} bytes`);
  const text = Buffer.from(bytes.subarray(start, length)).toString('latin1').trim();
  const descr = /'descr'\s*:\s*'([^']{2,16})'/.exec(text)?.[1];
  const order = /'fortran_order'\s*:\s*(True|False)/.exec(text)?.[1];
  const sizes = /'shape'\s*:\s*\(([\d,\sL]*)\)/.exec(text)?.[1];
  if (descr === undefined || order === undefined || sizes === undefined) return fail(show(text));
  const shape = sizes.split(',').flatMap((size) => (size.trim() === '' ? [] : [Number.parseInt(size, 10)]));
  return { descr, fortranOrder: order === 'True', shape, length };
}
