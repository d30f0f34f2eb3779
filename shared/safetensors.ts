// The safetensors container: 8 bytes of header length, a JSON header, raw little-endian tensors. PyTorch, Python and Rust read it.
// Format: huggingface/safetensors, README "Format". This file reads only what it can check completely.

import { z } from 'zod';
import { GanglionError, messageOf } from './error.ts';
import { sizeOf } from './model/shape.ts';

const BYTES_A_VALUE = { F32: 4, F64: 8, I64: 8 } as const;

export type SafetensorsType = keyof typeof BYTES_A_VALUE;

export interface StoredTensor {
  readonly dtype: SafetensorsType;
  readonly shape: readonly number[];
  /** Little-endian values. */
  readonly bytes: Uint8Array;
}

export interface SafetensorsFile {
  readonly metadata: Readonly<Record<string, string>>;
  readonly tensors: ReadonlyMap<string, StoredTensor>;
}

const HEADER_LIMIT = 100_000_000;
const Entry = z.strictObject({
  dtype: z.enum(['F32', 'F64', 'I64']),
  shape: z.array(z.int().nonnegative()),
  data_offsets: z.tuple([z.int().nonnegative(), z.int().nonnegative()]),
});
const Header = z.looseObject({ __metadata__: z.record(z.string(), z.string()).optional() });

/** Raw bytes of a typed array. */
export function toBytes(values: Float32Array | Float64Array | BigInt64Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

/** A file of the tensors in order of name, 8-byte aligned. */
export function encodeSafetensors({ metadata, tensors }: SafetensorsFile): Uint8Array {
  const names = [...tensors.keys()].sort();
  const header: Record<string, unknown> = { __metadata__: metadata };
  let offset = 0;
  const parts: Uint8Array[] = [];
  for (const name of names) {
    const tensor = tensors.get(name);
    if (!tensor) continue;
    const end = offset + tensor.bytes.length;
    header[name] = { dtype: tensor.dtype, shape: tensor.shape, data_offsets: [offset, end] };
    parts.push(tensor.bytes);
    offset = end;
  }
  const json = Buffer.from(JSON.stringify(header));
  const padded = Buffer.concat([json, Buffer.alloc((8 - (json.length % 8)) % 8, ' ')]);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  return Buffer.concat([length, padded, ...parts]);
}

/**
 * Reads a file of which every byte belongs to the header or to a tensor.
 *
 * @param name of the file, for messages
 * @throws GanglionError `checkpoint` when it is truncated or malformed
 */
export function decodeSafetensors(bytes: Uint8Array, name: string): SafetensorsFile {
  const fail = (reason: string): never => {
    throw new GanglionError('checkpoint', `${name}: ${reason}`);
  };
  if (bytes.length < 8) fail(`expected at least 8 bytes, got ${bytes.length}`);
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = Number(buffer.readBigUInt64LE(0));
  if (length > HEADER_LIMIT || 8 + length > bytes.length) {
    fail(`header of ${length} bytes does not fit into a file of ${bytes.length}`);
  }
  let json: unknown;
  try {
    json = JSON.parse(buffer.toString('utf8', 8, 8 + length));
  } catch (error) {
    fail(`header is not JSON (${messageOf(error)})`);
  }
  const header = Header.safeParse(json);
  if (!header.success) return fail('header is not a safetensors header');
  const { __metadata__: metadata = {}, ...entries } = header.data;
  const data = buffer.subarray(8 + length);
  const tensors = new Map<string, StoredTensor>();
  let covered = 0;
  for (const [key, value] of Object.entries(entries)) {
    const entry = Entry.safeParse(value);
    if (!entry.success) return fail(`tensor ${key} has a malformed header entry`);
    const { dtype, shape, data_offsets } = entry.data;
    const [begin, end] = data_offsets;
    const size = sizeOf(shape) * BYTES_A_VALUE[dtype];
    if (begin !== covered) fail(`tensor ${key} begins at ${begin}, expected ${covered}`);
    if (end - begin !== size) fail(`tensor ${key} expected ${size} bytes, got ${end - begin}`);
    if (end > data.length)
      fail(`truncated: tensor ${key} ends at ${end}, the file holds ${data.length} bytes of tensors`);
    covered = end;
    tensors.set(key, { dtype, shape, bytes: data.subarray(begin, end) });
  }
  if (covered !== data.length) fail(`${data.length - covered} bytes after the last tensor`);
  return { metadata, tensors };
}

/** Values of a float32 tensor, copied. */
export function toFloat32(tensor: StoredTensor): Float32Array {
  return new Float32Array(new Uint8Array(tensor.bytes).buffer);
}
