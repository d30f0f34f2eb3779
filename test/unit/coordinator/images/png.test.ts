// PNG files are taken apart here by the format's own rules, and decoded by pngjs.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { PNG } from 'pngjs';
import { describe, expect, it } from 'vitest';
import type { Picture } from '../../../../coordinator/images/grid.ts';
import { decodePng, encodePng, writePngSync } from '../../../../coordinator/images/png.ts';
import { errorOf, scratchFolder } from '../../scratch.ts';

/** Every byte occurs; 5 x 60 shows that width and height keep their places. */
const image: Picture = { width: 5, height: 60, pixels: Uint8Array.from({ length: 300 }, (_, i) => (i * 7) % 256) };

/** Chunks as [type, data]; checks lengths and checksums. */
function chunksOf(file: Uint8Array): [string, Buffer][] {
  const bytes = Buffer.from(file);
  expect(bytes.subarray(0, 8)).toEqual(Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'));
  const chunks: [string, Buffer][] = [];
  for (let at = 8; at < bytes.length; ) {
    const length = bytes.readUInt32BE(at);
    const data = bytes.subarray(at + 8, at + 8 + length);
    expect(bytes.readUInt32BE(at + 8 + length)).toBe(crc32(bytes.subarray(at + 4, at + 8 + length)));
    chunks.push([bytes.toString('latin1', at + 4, at + 8), data]);
    at += 12 + length;
  }
  return chunks;
}

/** The grey values of a decoded file, which pngjs gives as RGBA. */
function greyOf(file: Uint8Array): number[] {
  const { data } = PNG.sync.read(Buffer.from(file));
  for (let i = 0; i < data.length; i += 4) {
    expect([data[i + 1], data[i + 2], data[i + 3]]).toEqual([data[i], data[i], 255]);
  }
  return [...data.filter((_, i) => i % 4 === 0)];
}

describe('encodePng', () => {
  it('writes one grey channel of 8 bits', () => {
    const chunks = chunksOf(encodePng(image));
    expect(chunks.map(([type]) => type)).toEqual(['IHDR', 'IDAT', 'IEND']);
    // Width 5, height 60, depth 8, grey, deflate, standard filters, not interlaced.
    expect([...(chunks[0]?.[1] ?? [])]).toEqual([0, 0, 0, 5, 0, 0, 0, 60, 8, 0, 0, 0, 0]);
  });

  it('keeps every pixel, also of a view into a larger buffer', () => {
    expect(greyOf(encodePng(image))).toEqual([...image.pixels]);
    const large = new Uint8Array(400);
    large.set(image.pixels, 50);
    expect(greyOf(encodePng({ ...image, pixels: large.subarray(50, 350) }))).toEqual([...image.pixels]);
  });

  it('gives the same bytes for the same image', () => {
    expect(encodePng(image)).toEqual(encodePng({ ...image, pixels: Uint8Array.from(image.pixels) }));
  });
});

describe('writePngSync', () => {
  it('writes the encoded file and nothing else', () => {
    const folder = scratchFolder();
    writePngSync(join(folder, 'a.png'), image);
    expect(readdirSync(folder)).toEqual(['a.png']);
    expect(greyOf(readFileSync(join(folder, 'a.png')))).toEqual([...image.pixels]);
  });

  it('says what is wrong with the path', async () => {
    const path = join(scratchFolder(), 'missing', 'a.png');
    expect(await errorOf(() => writePngSync(path, image))).toBe(
      `environment: cannot write ${path}: no such file or directory`,
    );
  });
});

describe('decodePng', () => {
  it('gives the image back', () => {
    expect(decodePng(encodePng(image))).toEqual(image);
  });

  it('throws where a file is none, or is cut', () => {
    expect(() => decodePng(Buffer.from('no picture'))).toThrow();
    expect(() => decodePng(encodePng(image).subarray(0, 100))).toThrow();
  });
});
