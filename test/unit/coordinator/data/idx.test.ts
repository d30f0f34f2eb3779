import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { idxLength, parseIdx } from '../../../../coordinator/data/idx.ts';
import { GanglionError } from '../../../../shared/error.ts';
import { errorOf } from '../../scratch.ts';

/** 2 images of 2 x 3 pixels. */
const file = Uint8Array.of(
  0,
  0,
  8,
  3,
  0,
  0,
  0,
  2,
  0,
  0,
  0,
  2,
  0,
  0,
  0,
  3,
  10,
  11,
  12,
  13,
  14,
  15,
  20,
  21,
  22,
  23,
  24,
  25,
);
const shape = [2, 2, 3];

function changed(index: number, byte: number): Uint8Array {
  const bytes = Uint8Array.from(file);
  bytes[index] = byte;
  return bytes;
}

const reasonOf = (bytes: Uint8Array, expected: readonly number[] = shape): Promise<string> =>
  errorOf(() => parseIdx(bytes, 'f', expected));

describe('parseIdx', () => {
  it('gives the values as a view', () => {
    const values = parseIdx(file, 'f', shape);
    expect([...values]).toEqual([10, 11, 12, 13, 14, 15, 20, 21, 22, 23, 24, 25]);
    expect(values.buffer).toBe(file.buffer);
    expect(idxLength(shape)).toBe(28);
  });

  it('reads a view that starts inside a larger buffer', () => {
    const large = new Uint8Array(40);
    large.set(file, 7);
    expect([...parseIdx(large.subarray(7, 35), 'f', shape)].slice(0, 2)).toEqual([10, 11]);
  });

  it('refuses another magic number, type of values or number of dimensions', async () => {
    const expected = 'data: f: expected the magic number 0x00000803, got';
    expect(await reasonOf(changed(0, 0x1f))).toBe(`${expected} 0x1f000803`);
    expect(await reasonOf(changed(1, 1))).toBe(`${expected} 0x00010803`);
    expect(await reasonOf(changed(2, 9))).toBe(`${expected} 0x00000903`);
    expect(await reasonOf(changed(3, 1))).toBe(`${expected} 0x00000801`);
    expect(await reasonOf(file, [2])).toBe('data: f: expected the magic number 0x00000801, got 0x00000803');
  });

  it('refuses other sizes', async () => {
    expect(await reasonOf(changed(7, 3))).toBe('data: f: expected the sizes 2 x 2 x 3, got 3 x 2 x 3');
    expect(await reasonOf(changed(8, 255))).toBe('data: f: expected the sizes 2 x 2 x 3, got 2 x 4278190082 x 3');
    expect(await reasonOf(changed(15, 2))).toBe('data: f: expected the sizes 2 x 2 x 3, got 2 x 2 x 2');
  });

  it('refuses missing and surplus bytes', async () => {
    expect(await reasonOf(file.subarray(0, 27))).toBe('data: f: expected a length in bytes of 28, got 27');
    expect(await reasonOf(Uint8Array.of(...file, 0))).toBe('data: f: expected a length in bytes of 28, got 29');
    expect(await reasonOf(file.subarray(0, 16))).toBe('data: f: expected a length in bytes of 28, got 16');
    expect(await reasonOf(file.subarray(0, 15))).toBe('data: f: expected a header of 16 bytes, got 15 bytes');
    expect(await reasonOf(new Uint8Array(0))).toBe('data: f: expected a header of 16 bytes, got 0 bytes');
  });

  it('reads any shape it is given, and no header with one bit changed', () => {
    const shapes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(shapes, fc.nat(), (sizes, at) => {
        const header = [0, 0, 8, sizes.length, ...sizes.flatMap((size) => [0, 0, 0, size])];
        const values = Uint8Array.from({ length: idxLength(sizes) - header.length }, (_, i) => i % 251);
        const bytes = Uint8Array.of(...header, ...values);
        expect([...parseIdx(bytes, 'f', sizes)]).toEqual([...values]);
        const bit = at % (header.length * 8);
        bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        expect(() => parseIdx(bytes, 'f', sizes)).toThrow(GanglionError);
      }),
    );
  });
});
