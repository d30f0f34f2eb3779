import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeNpy, writeNpySync } from '../../../../coordinator/images/npy.ts';
import { errorOf, scratchFolder } from '../../scratch.ts';

/** The array in a .npy file of version 1.0, by the format's own rules. */
function parseNpy(file: Uint8Array): { shape: number[]; values: number[] } {
  const bytes = Buffer.from(file);
  expect(bytes.toString('latin1', 0, 8)).toBe('\x93NUMPY\x01\x00');
  const start = 10 + bytes.readUInt16LE(8);
  expect(start % 64).toBe(0);
  const header = bytes.toString('latin1', 10, start);
  const match = /^\{'descr': '<f4', 'fortran_order': False, 'shape': \((\d+), (\d+), (\d+)\), \} *\n$/.exec(header);
  expect(match).not.toBeNull();
  const values: number[] = [];
  for (let at = start; at < bytes.length; at += 4) values.push(bytes.readFloatLE(at));
  return { shape: (match ?? []).slice(1).map(Number), values };
}

describe('encodeNpy', () => {
  it('is to the byte what numpy.save writes', () => {
    const images = new Float32Array(784);
    images.set([1, -0.5, 0]);
    const file = Buffer.from(encodeNpy(images, 1, [28, 28, 1]));
    const description = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 28, 28), }";
    expect(file.length).toBe(128 + 4 * 784);
    // Version 1.0, 118 = 0x76 bytes of header.
    expect(file.toString('hex', 0, 10)).toBe('934e554d505901007600');
    expect(file.toString('latin1', 10, 128)).toBe(`${description}${' '.repeat(117 - description.length)}\n`);
    expect(file.toString('hex', 128, 140)).toBe('0000803f000000bf00000000');
  });

  it('keeps shape and bits of any values, and starts them at a multiple of 64', () => {
    const count = fc.constantFrom(0, 1, 2, 7);
    fc.assert(
      fc.property(count, fc.float32Array({ minLength: 8, maxLength: 8 }), (n, some) => {
        const images = Float32Array.from({ length: n * 784 }, (_, i) => some[i % 8] ?? 0);
        const { shape, values } = parseNpy(encodeNpy(images, n, [28, 28, 1]));
        expect(shape).toEqual([n, 28, 28]);
        expect(values).toEqual([...images]);
      }),
      { numRuns: 20 },
    );
  });

  it('encodes a view into a larger buffer', () => {
    const large = Float32Array.from({ length: 3 * 784 }, (_, i) => i);
    expect(parseNpy(encodeNpy(large.subarray(784, 1568), 1, [28, 28, 1])).values[0]).toBe(784);
  });

  it('refuses a wrong count', async () => {
    expect(await errorOf(() => encodeNpy(new Float32Array(784), 2, [28, 28, 1]))).toBe(
      'shape: npy: expected 2 x 784 values, got 784',
    );
    expect(await errorOf(() => encodeNpy(new Float32Array(392), 0.5, [28, 28, 1]))).toContain(
      'expected 0.5 x 784 values',
    );
  });
});

describe('writeNpySync', () => {
  it('writes the encoded file and nothing else', () => {
    const folder = scratchFolder();
    const images = Float32Array.from({ length: 1568 }, (_, i) => i / 1568);
    writeNpySync(join(folder, 'a.npy'), images, 2, [28, 28, 1]);
    expect(readdirSync(folder)).toEqual(['a.npy']);
    expect(parseNpy(readFileSync(join(folder, 'a.npy')))).toEqual({ shape: [2, 28, 28], values: [...images] });
  });
});
