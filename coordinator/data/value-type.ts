// The types of values in array files, and how they become bytes of pixels or numbers of classes.
import { GanglionError } from '../../shared/error.ts';

export interface ValueType {
  /** For messages: `int32`. */
  readonly name: string;
  /** Of a value. */
  readonly bytes: number;
  /** Reads a whole number; undefined for types that are none. */
  readonly read: ((view: DataView, at: number) => number) | undefined;
}

const reads = {
  u1: (view: DataView, at: number) => view.getUint8(at),
  i1: (view: DataView, at: number) => view.getInt8(at),
  u2: (view: DataView, at: number, little: boolean) => view.getUint16(at, little),
  i2: (view: DataView, at: number, little: boolean) => view.getInt16(at, little),
  u4: (view: DataView, at: number, little: boolean) => view.getUint32(at, little),
  i4: (view: DataView, at: number, little: boolean) => view.getInt32(at, little),
  u8: (view: DataView, at: number, little: boolean) => Number(view.getBigUint64(at, little)),
  i8: (view: DataView, at: number, little: boolean) => Number(view.getBigInt64(at, little)),
};

const NAMES = { u: 'uint', i: 'int', f: 'float', b: 'bool' } as const;

/** Of NumPy's description, such as `<i8`; undefined for types that are no numbers. */
export function npyType(descr: string): ValueType | undefined {
  const [, order, kind, size] = /^([<>|=])([uifb])(\d{1,2})$/.exec(descr) ?? [];
  if (order === undefined || kind === undefined || size === undefined) return undefined;
  const bytes = Number(size);
  const name = kind === 'b' ? 'bool' : `${NAMES[kind as keyof typeof NAMES]}${8 * bytes}`;
  const read = reads[`${kind}${size}` as keyof typeof reads];
  return { name, bytes, read: read && ((view, at) => read(view, at, order !== '>')) };
}

/** By the code in an idx file's header; values are big-endian. */
const IDX: Readonly<Record<number, string>> = {
  8: '|u1',
  9: '|i1',
  11: '>i2',
  12: '>i4',
  13: '>f4',
  14: '>f8',
};

/** Of the code in an idx file's header; undefined for none. */
export function idxType(code: number): ValueType | undefined {
  return npyType(IDX[code] ?? '');
}

/**
 * Values as bytes, 0 to 255: a view where they are bytes.
 * @throws GanglionError `data` that names the file, for another value or type
 */
export function toBytes(values: Uint8Array, type: ValueType, name: string): Uint8Array {
  if (type.name === 'uint8') return values;
  const { read, bytes } = type;
  if (read === undefined) {
    const how = "in NumPy, images.astype('uint8') after scaling to 0..255";
    throw new GanglionError(
      'data',
      `${name}: expected pixels of whole numbers from 0 to 255, got ${type.name} (${how})`,
    );
  }
  const view = new DataView(values.buffer, values.byteOffset, values.length);
  const pixels = new Uint8Array(values.length / bytes);
  for (let i = 0; i < pixels.length; i++) {
    const value = read(view, i * bytes);
    if (!(value >= 0 && value <= 255)) {
      throw new GanglionError('data', `${name}: expected pixels from 0 to 255, got ${value}`);
    }
    pixels[i] = value;
  }
  return pixels;
}
