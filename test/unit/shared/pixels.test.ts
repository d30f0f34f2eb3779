import { expect, it } from 'vitest';
import { toByte, toBytePixels, toFloatPixels, viewsOf } from '../../../shared/pixels.ts';

it('maps 0 to -1, 255 to 1 and the bytes between linearly, rounded to float32', () => {
  // 51 = 255 / 5, so 51 / 127.5 - 1 = -0.6; 127 / 127.5 - 1 = -1/255.
  expect([...toFloatPixels([Uint8Array.of(0, 255, 51), Uint8Array.of(204, 127, 128)])]).toEqual(
    [-1, 1, -0.6, 0.6, -1 / 255, 1 / 255].map(Math.fround),
  );
});

it('is symmetric and rises by 2/255 a byte', () => {
  const floats = toFloatPixels([Uint8Array.from({ length: 256 }, (_, byte) => byte)]);
  expect(floats.length).toBe(256);
  for (let byte = 0; byte < 255; byte++) {
    expect((floats[byte + 1] ?? 0) - (floats[byte] ?? 0)).toBeCloseTo(2 / 255, 6);
    expect(floats[byte]).toBeCloseTo(-(floats[255 - byte] ?? 0), 7);
  }
});

it('gives the byte of every pixel, also of what is no pixel', () => {
  const values = Float32Array.of(-1, 1, -0.6, 0, -1 / 255, 7, -7, Number.NaN, Infinity, -Infinity);
  expect([...toBytePixels(values)]).toEqual([0, 255, 51, 128, 127, 255, 0, 0, 255, 0]);
  expect([...toBytePixels(values)].slice(0, 7)).toEqual([...values].slice(0, 7).map(toByte));
});

it('gives single images as views, in the order that is asked for', () => {
  const images = Uint8Array.from({ length: 4 * 784 }, (_, i) => Math.floor(i / 784));
  const views = viewsOf(images, Uint32Array.of(3, 0, 3), 784);
  expect(views.map(({ length }) => length)).toEqual([784, 784, 784]);
  expect(views.map((view) => [...new Set(view)])).toEqual([[3], [0], [3]]);
  for (const { buffer } of views) expect(buffer).toBe(images.buffer);
});
