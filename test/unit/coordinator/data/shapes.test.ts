// Which shape the images of a set get: by what is asked for, and by what they are.
import { join } from 'node:path';
import { PNG } from 'pngjs';
import { describe, expect, it } from 'vitest';
import { decodeBatch } from '../../../../coordinator/data/decode-batch.ts';
import { shapeFor } from '../../../../coordinator/data/wanted-shape.ts';
import { greyOf } from '../../../../shared/pixels.ts';
import { resize } from '../../../../shared/resize.ts';
import { errorOf, scratchFolder } from '../../scratch.ts';
import { idx, load, writeFiles } from './idx-bytes.ts';

type Colour = readonly [number, number, number, number?];

/** A PNG of red, green, blue and opacity, by a pixel's place. */
function png(width: number, height: number, colourAt: (x: number, y: number) => Colour): Buffer {
  const image = new PNG({ width, height });
  for (let i = 0; i < width * height; i++) {
    const [red, green, blue, opacity = 255] = colourAt(i % width, Math.floor(i / width));
    image.data.set([red, green, blue, opacity], 4 * i);
  }
  return PNG.sync.write(image);
}

const grey = (x: number, y: number): Colour => [x * 3 + y, x * 3 + y, x * 3 + y];
const colour = (x: number, y: number): Colour => [x * 3, y * 3, 77];

const shapesOf = async (files: Readonly<Record<string, Buffer>>, settings = {}) => {
  const folder = scratchFolder();
  writeFiles(folder, files);
  return (await load(folder, settings)).imageShape;
};

describe('the least shape', () => {
  it.each([
    [1, 28],
    [28, 28],
    [29, 32],
    [32, 32],
    [33, 64],
    [64, 64],
    [4000, 64],
  ])('for a side of %i is %i', (side, size) => {
    expect(shapeFor({ imageSize: 'auto', channels: 'auto' }, side, false)).toEqual([size, size, 1]);
    expect(shapeFor({ imageSize: 32, channels: 'auto' }, side, true)).toEqual([32, 32, 3]);
    expect(shapeFor({ imageSize: 'auto', channels: 1 }, side, true)).toEqual([size, size, 1]);
  });

  it('of pictures follows the largest and the one in colour, wherever they are', async () => {
    const small = Object.fromEntries(Array.from({ length: 70 }, (_, i) => [`${i}.png`, png(20, 28, grey)]));
    expect(await shapesOf(small)).toEqual([28, 28, 1]);
    expect(await shapesOf({ ...small, '68.png': png(3, 32, grey) })).toEqual([32, 32, 1]);
    expect(await shapesOf({ ...small, '69.png': png(5, 5, colour), '3.png': png(99, 2, grey) })).toEqual([64, 64, 3]);
    expect(await shapesOf({ ...small, '69.png': png(5, 5, colour) }, { channels: 1 })).toEqual([28, 28, 1]);
    expect(await shapesOf(small, { imageSize: 64, channels: 3 })).toEqual([64, 64, 3]);
  });

  it('is in colour where the background is, and shows', async () => {
    const red = { background: '#ff0000' };
    expect(await shapesOf({ 'a.png': png(28, 28, grey) }, red)).toEqual([28, 28, 1]);
    expect(await shapesOf({ 'a.png': png(28, 20, grey) }, red)).toEqual([28, 28, 3]);
    expect(await shapesOf({ 'a.png': png(28, 20, grey) }, { ...red, resize: 'cover' })).toEqual([28, 28, 1]);
    expect(await shapesOf({ 'a.png': png(28, 28, (x) => [9, 9, 9, x]) }, red)).toEqual([28, 28, 3]);
    expect(await shapesOf({ 'a.png': png(28, 28, (x) => [9, 9, 9, x]) })).toEqual([28, 28, 1]);
    // Behind what is clear there is no colour.
    expect(await shapesOf({ 'a.png': png(28, 28, () => [90, 0, 9, 0]) })).toEqual([28, 28, 1]);
  });

  it('of arrays follows what they hold: colour, whose values are all grey, is grey', async () => {
    const values = (of: (i: number) => number) => Uint8Array.from({ length: 2 * 32 * 30 * 3 }, (_, i) => of(i));
    const [same, other] = [values((i) => Math.floor(i / 3) % 251), values((i) => i % 251)];
    expect(await shapesOf({ images: idx([2, 32, 30, 3], same) })).toEqual([32, 32, 1]);
    expect(await shapesOf({ images: idx([2, 32, 30, 3], other) })).toEqual([32, 32, 3]);
    expect(await shapesOf({ images: idx([2, 3, 32, 30], other) })).toEqual([32, 32, 3]);
    expect(await shapesOf({ images: idx([2, 32, 90], other) })).toEqual([64, 64, 1]);
  });

  it("of the package's digits is that of MNIST, unless another one is asked for", async () => {
    const { imageShape, preparation, images, sha256 } = await load(null, { imageSize: 32 });
    expect([imageShape, preparation]).toEqual([[32, 32, 1], '28 x 28 to 32 x 32 (fit on #000000)']);
    expect(images.length).toBe(10_000 * 1024);
    expect(sha256).not.toBe((await load(null)).sha256);
    expect((await load(null)).imageShape).toEqual([28, 28, 1]);
  });
});

describe('a set in colour', () => {
  const COUNT = 3;
  const pixel = (image: number, x: number, y: number): [number, number, number] => [x * 8, y * 8, image * 90];
  const interleaved = Uint8Array.from(
    { length: COUNT * 1024 * 3 },
    (_, i) => pixel(Math.floor(i / 3072), Math.floor(i / 3) % 32, Math.floor((i % 3072) / 96))[i % 3] ?? 0,
  );
  const planes = Uint8Array.from(interleaved, (_, i) => {
    const [image, channel, at] = [Math.floor(i / 3072), Math.floor((i % 3072) / 1024), i % 1024];
    return interleaved[image * 3072 + at * 3 + channel] ?? 0;
  });

  it('has one hash by every road', async () => {
    const folder = scratchFolder();
    const rows = Array.from({ length: COUNT }, (_, i) => interleaved.slice(i * 3072, (i + 1) * 3072).join());
    writeFiles(folder, {
      'last/images': idx([COUNT, 32, 32, 3], interleaved),
      'first/images': idx([COUNT, 3, 32, 32], planes),
      'table/train.csv': rows.map((row, i) => `${i},${row}`).join('\n'),
      'named/train.csv': [
        `label,${Array.from({ length: 3072 }, (_, i) => `p${i}`)}`,
        ...rows.map((row) => `1,${row}`),
      ].join('\n'),
      ...Object.fromEntries(
        Array.from({ length: COUNT }, (_, i) => [`png/${i}.png`, png(32, 32, (x, y) => pixel(i, x, y))]),
      ),
    });
    const bare = await load(join(folder, 'last'));
    expect(Buffer.from(bare.images).equals(interleaved)).toBe(true);
    expect([bare.imageShape, bare.preparation]).toEqual([[32, 32, 3], null]);
    for (const road of ['first', 'table', 'named', 'png'])
      expect((await load(join(folder, road))).sha256).toBe(bare.sha256);
  });

  it('is resized one channel by one', async () => {
    const folder = scratchFolder();
    writeFiles(folder, { images: idx([COUNT, 32, 32, 3], interleaved) });
    const { images } = await load(folder, { imageSize: 64 });
    const red = interleaved.subarray(0, 3072).filter((_, i) => i % 3 === 0);
    const larger = resize({ width: 32, height: 32, channels: 1, pixels: red }, 64, 64);
    expect(images.subarray(0, 64 * 64 * 3).filter((_, i) => i % 3 === 0)).toEqual(larger);
    const [first] = (await load(folder, { channels: 1 })).images.subarray(40);
    expect(first).toBe(greyOf(...pixel(0, 8, 1)));
  });
});

it('a batch of pictures says what it needs, and which of it cannot be used', async () => {
  const pictures = [png(40, 3, grey), Buffer.from('no picture'), png(4, 4, colour)];
  const wanted = { imageSize: 'auto', channels: 'auto' } as const;
  const options = { resize: 'fit', transpose: false, invert: false, background: [0, 0, 0] } as const;
  const { outgrown, faults } = await decodeBatch({ pictures, options, shape: [28, 28, 1], wanted });
  expect([outgrown, faults]).toEqual([
    [64, 64, 3],
    [null, 'no picture', null],
  ]);
});

it('a size that there is no model of is refused', async () => {
  const folder = scratchFolder();
  writeFiles(folder, { images: idx([2, 32, 30, 2], new Uint8Array(2 * 32 * 30 * 2)) });
  expect(await errorOf(() => load(folder))).toBe(
    `data: ${join(folder, 'images')}: expected 1, 3 or 4 channels, got an array of 2 x 32 x 30 x 2`,
  );
});
