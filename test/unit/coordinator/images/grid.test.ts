import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toGrid } from '../../../../coordinator/images/grid.ts';
import { toByte } from '../../../../shared/pixels.ts';
import { errorOf } from '../../scratch.ts';

/** `count` images whose pixels are all different from their neighbours. */
const imagesOf = (count: number): Uint8Array => Uint8Array.from({ length: count * 784 }, (_, i) => 1 + (i % 253));

describe('toGrid', () => {
  it('gives one image as it is', () => {
    const images = imagesOf(1);
    expect(toGrid(images, 1, 1, [28, 28, 1])).toEqual({ width: 28, height: 28, pixels: images });
  });

  it('lays 5 images in rows of 3, with black gaps of 2 pixels and a black last cell', () => {
    const grid = toGrid(new Uint8Array(5 * 784).fill(255), 5, 3, [28, 28, 1]);
    expect([grid.width, grid.height, grid.pixels.length]).toEqual([88, 58, 88 * 58]);
    const rowOf = (y: number): string =>
      [...grid.pixels.subarray(y * 88, y * 88 + 88)]
        .map((byte) => (byte === 255 ? '#' : byte === 0 ? '.' : '?'))
        .join('');
    const image = '#'.repeat(28);
    const full = `${image}..${image}..${image}`;
    for (let y = 0; y < 28; y++) expect(rowOf(y)).toBe(full);
    for (let y = 28; y < 30; y++) expect(rowOf(y)).toBe('.'.repeat(88));
    for (let y = 30; y < 58; y++) expect(rowOf(y)).toBe(`${image}..${image}..${'.'.repeat(28)}`);
  });

  it('puts every pixel of every image in its place, and only black between', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 15 }), (count, columns) => {
        const images = imagesOf(count);
        const { width, height, pixels } = toGrid(images, count, columns, [28, 28, 1]);
        const used = Math.min(count, columns);
        const wrong: string[] = [];
        for (let y = 0; y < height; y++) {
          for (let x = 0; x < width; x++) {
            const image = Math.floor(y / 30) * used + Math.floor(x / 30);
            const inside = y % 30 < 28 && x % 30 < 28 && image < count;
            const expected = inside ? images[image * 784 + (y % 30) * 28 + (x % 30)] : 0;
            if (pixels[y * width + x] !== expected) wrong.push(`${x},${y}`);
          }
        }
        expect(wrong).toEqual([]);
        expect([width, height]).toEqual([used * 30 - 2, Math.ceil(count / used) * 30 - 2]);
      }),
      { numRuns: 40 },
    );
  });

  it('makes bytes of floats', () => {
    const floats = new Float32Array(784).fill(-1);
    floats.set([1, 0, -0.5, 0.5, 2, -3, Number.NaN]);
    expect([...toGrid(floats, 1, 1, [28, 28, 1]).pixels.subarray(0, 8)]).toEqual([255, 128, 64, 191, 255, 0, 0, 0]);
  });

  it('refuses a wrong count, too few pixels and columns that are no number', async () => {
    expect(await errorOf(() => toGrid(imagesOf(2), 3, 1, [28, 28, 1]))).toBe(
      'shape: grid: expected 3 (at least 1) x 784 pixels, got 1568',
    );
    expect(await errorOf(() => toGrid(new Uint8Array(0), 0, 1, [28, 28, 1]))).toContain('expected 0 (at least 1)');
    expect(await errorOf(() => toGrid(new Uint8Array(392), 0.5, 1, [28, 28, 1]))).toContain(
      'expected 0.5 (at least 1)',
    );
    expect(await errorOf(() => toGrid(imagesOf(1), 1, 0, [28, 28, 1]))).toBe(
      'shape: grid: expected at least 1 column, got 0',
    );
    expect(await errorOf(() => toGrid(imagesOf(1), 1, 1.5, [28, 28, 1]))).toContain('got 1.5');
  });
});

describe('toByte', () => {
  it('is round((x + 1) * 127.5), clamped', () => {
    // 127.5 is between two bytes and rounds up; 1/127.5 is the distance of two bytes.
    expect([-1, 0, 1].map(toByte)).toEqual([0, 128, 255]);
    expect([-1.001, -50, 1.001, 50, Infinity, -Infinity].map(toByte)).toEqual([0, 0, 255, 255, 255, 0]);
    for (let byte = 0; byte < 256; byte++) {
      const x = byte / 127.5 - 1;
      expect([toByte(x), toByte(x - 0.49 / 127.5), toByte(x + 0.49 / 127.5)]).toEqual([byte, byte, byte]);
    }
  });
});
