import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GanglionError } from '../../../shared/error.ts';
import {
  decodeSafetensors,
  encodeSafetensors,
  type SafetensorsFile,
  type SafetensorsType,
  toBytes,
  toFloat32,
} from '../../../shared/safetensors.ts';

const SIZES: Record<SafetensorsType, number> = { F32: 4, F64: 8, I64: 8 };

/** A file from a header as it stands and bytes of tensors. */
function fileOf(header: string, data: number, length = Buffer.byteLength(header)): Uint8Array {
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(length));
  return Buffer.concat([prefix, Buffer.from(header), Buffer.alloc(data)]);
}

const entry = (begin: number, end: number, shape: unknown = [(end - begin) / 4], dtype = 'F32') => ({
  dtype,
  shape,
  data_offsets: [begin, end],
});

/** The message of the GanglionError `checkpoint` that decoding throws; anything else fails the test. */
function refusal(bytes: Uint8Array): string {
  try {
    decodeSafetensors(bytes, 'a.safetensors');
  } catch (error) {
    if (error instanceof GanglionError && error.code === 'checkpoint') return error.message;
    throw error;
  }
  throw new Error('expected a GanglionError, got a file');
}

const SMALL: SafetensorsFile = {
  metadata: { format: 'x' },
  tensors: new Map([
    ['a', { dtype: 'F32', shape: [2], bytes: toBytes(Float32Array.of(1, -2)) }],
    ['b', { dtype: 'I64', shape: [], bytes: toBytes(BigInt64Array.of(-5n)) }],
  ]),
};

const tensor = fc
  .record({
    dtype: fc.constantFrom<SafetensorsType>('F32', 'F64', 'I64'),
    shape: fc.array(fc.nat({ max: 4 }), { maxLength: 3 }),
    fill: fc.nat({ max: 255 }),
  })
  .map(({ dtype, shape, fill }) => {
    const size = shape.reduce((a, b) => a * b, 1) * SIZES[dtype];
    return { dtype, shape, bytes: Uint8Array.from({ length: size }, (_, i) => (fill + i) % 256) };
  });
const name = fc.stringMatching(/^[a-z][a-z0-9_.é"\\]{0,12}$/);

describe('safetensors', () => {
  it('is 8 bytes of length, a JSON header padded to 8 bytes, and the tensors in order of name', () => {
    const json =
      '{"__metadata__":{"format":"x"},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"I64","shape":[],"data_offsets":[8,16]}}';
    expect(json.length).toBe(137); // so 7 spaces
    const reversed = { ...SMALL, tensors: new Map([...SMALL.tensors].reverse()) };
    for (const given of [SMALL, reversed]) {
      const file = Buffer.from(encodeSafetensors(given));
      expect(file.readBigUInt64LE(0)).toBe(144n);
      expect(file.toString('utf8', 8, 152)).toBe(`${json}       `);
      // 1 = 3f800000, -2 = c0000000, -5 = fffffffffffffffb, little-endian
      expect(file.toString('hex', 152)).toBe('0000803f000000c0fbffffffffffffff');
    }
  });

  it('gives back what was written', () => {
    const files = fc.record({
      metadata: fc.dictionary(name, fc.string()),
      tensors: fc.uniqueArray(fc.tuple(name, tensor), { selector: ([key]) => key }).map((all) => new Map(all)),
    });
    fc.assert(
      fc.property(files, ({ metadata, tensors }) => {
        const file = encodeSafetensors({ metadata, tensors });
        expect(Buffer.from(file).readBigUInt64LE(0) % 8n).toBe(0n);
        const read = decodeSafetensors(file, 'a.safetensors');
        expect({ ...read.metadata }).toEqual({ ...metadata });
        expect([...read.tensors.keys()]).toEqual([...tensors.keys()].sort());
        for (const [key, { dtype, shape, bytes }] of tensors) {
          const got = read.tensors.get(key);
          expect(got).toMatchObject({ dtype, shape });
          expect(Buffer.compare(got?.bytes ?? Buffer.from('none'), bytes)).toBe(0);
        }
      }),
    );
  });

  it('reads bytes at any alignment; values are copies', () => {
    const file = encodeSafetensors(SMALL);
    const shifted = new Uint8Array(file.length + 3).subarray(3);
    shifted.set(file);
    const a = decodeSafetensors(shifted, 'a.safetensors').tensors.get('a');
    if (!a) throw new Error('no tensor a');
    const values = toFloat32(a);
    shifted.fill(0);
    expect([...values]).toEqual([1, -2]);
  });

  it('writes the view of a larger buffer only', () => {
    expect([...toBytes(Float32Array.of(9, 1, 9).subarray(1, 2))]).toEqual([0, 0, 0x80, 0x3f]);
  });
});

describe('a damaged file', () => {
  it('is refused by name when cut at any length', () => {
    const file = encodeSafetensors(SMALL);
    for (let length = 0; length < file.length; length++) {
      expect(refusal(file.subarray(0, length)), `${length} bytes`).toMatch(/^a\.safetensors: /);
    }
  });

  it('is refused or read, but nothing else, with any bit flipped', () => {
    const file = encodeSafetensors(SMALL);
    for (let bit = 0; bit < file.length * 8; bit++) {
      const flipped = Uint8Array.from(file);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      try {
        decodeSafetensors(flipped, 'a.safetensors');
      } catch (error) {
        expect(error).toMatchObject({ name: 'GanglionError', code: 'checkpoint' });
      }
    }
  });

  it.each([
    ['nothing', new Uint8Array(0), 'expected at least 8 bytes, got 0'],
    ['a length beyond the file', fileOf('{}', 0, 3), 'header of 3 bytes does not fit into a file of 10'],
    ['a huge length', fileOf('{}', 0, 2 ** 53), `header of ${2 ** 53} bytes does not fit into a file of 10`],
    ['text', fileOf('not json', 0), /^a\.safetensors: header is not JSON \(/],
    ['a list', fileOf('[]', 0), 'header is not a safetensors header'],
    ['metadata that is no text', fileOf('{"__metadata__":{"a":1}}', 0), 'header is not a safetensors header'],
    ['a byte too many', fileOf('{}', 1), '1 bytes after the last tensor'],
    [
      'a tensor cut',
      fileOf(JSON.stringify({ a: entry(0, 8) }), 7),
      'truncated: tensor a ends at 8, the file holds 7 bytes of tensors',
    ],
    ['a gap before the first', fileOf(JSON.stringify({ a: entry(4, 8) }), 8), 'tensor a begins at 4, expected 0'],
    [
      'a gap between',
      fileOf(JSON.stringify({ a: entry(0, 4), b: entry(8, 12) }), 12),
      'tensor b begins at 8, expected 4',
    ],
    ['an overlap', fileOf(JSON.stringify({ a: entry(0, 8), b: entry(4, 12) }), 12), 'tensor b begins at 4, expected 8'],
    [
      'an end before its begin',
      fileOf(JSON.stringify({ a: entry(0, 4), b: entry(4, 0, [1]) }), 4),
      'tensor b expected 4 bytes, got -4',
    ],
    [
      'a shape that does not fit',
      fileOf(JSON.stringify({ a: entry(0, 8, [3]) }), 8),
      'tensor a expected 12 bytes, got 8',
    ],
    [
      'a type of another size',
      fileOf(JSON.stringify({ a: entry(0, 8, [2], 'F64') }), 8),
      'tensor a expected 16 bytes, got 8',
    ],
    [
      'an unknown type',
      fileOf(JSON.stringify({ a: entry(0, 4, [2], 'F16') }), 4),
      'tensor a has a malformed header entry',
    ],
    ['a negative size', fileOf(JSON.stringify({ a: entry(0, 4, [-1]) }), 4), 'tensor a has a malformed header entry'],
    ['a fraction', fileOf(JSON.stringify({ a: entry(0, 4, [0.5]) }), 4), 'tensor a has a malformed header entry'],
    ['a missing key', fileOf('{"a":{"dtype":"F32","shape":[1]}}', 4), 'tensor a has a malformed header entry'],
    [
      'a further key',
      fileOf(JSON.stringify({ a: { ...entry(0, 4), x: 1 } }), 4),
      'tensor a has a malformed header entry',
    ],
  ])('%s', (_, bytes, message) => {
    if (typeof message === 'string') expect(refusal(bytes)).toBe(`a.safetensors: ${message}`);
    else expect(refusal(bytes)).toMatch(message);
  });
});
