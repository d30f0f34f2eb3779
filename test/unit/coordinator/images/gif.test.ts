// That Pillow reads the same pixels from it is in test/integration/readers.test.ts.
import { describe, expect, it } from 'vitest';
import { GifWriter } from '../../../../coordinator/images/gif.ts';
import { errorOf } from '../../scratch.ts';

/** Delays of the frames in hundredths of a second, by the blocks of the format (GIF89a, W3C). */
function delaysOf(gif: Buffer): number[] {
  const delays: number[] = [];
  let at = 13 + 3 * 256; // header, screen, palette
  const skipBlocks = (): void => {
    while (gif[at] !== 0) at += (gif[at] ?? 0) + 1;
    at += 1;
  };
  for (;;) {
    const kind = gif[at];
    if (kind === 0x3b) return delays;
    if (kind === 0x21) {
      if (gif[at + 1] === 0xf9) delays.push(gif.readUInt16LE(at + 4));
      at += 2;
    } else if (kind === 0x2c) at += 11;
    else throw new Error(`expected a block of GIF89a at ${at}, got ${kind}`);
    skipBlocks();
  }
}

const frame = (width: number, height: number) => ({
  width,
  height,
  pixels: Uint8Array.from({ length: width * height }, (_, i) => i % 256),
});

describe('GifWriter', () => {
  it('has the size, every grey, a frame an image with its time, and no end', () => {
    const writer = new GifWriter();
    for (const delay of [140, 140, 3000]) writer.add(frame(30, 20), delay);
    const gif = Buffer.from(writer.finish());
    expect(gif.toString('latin1', 0, 6)).toBe('GIF89a');
    expect([gif.readUInt16LE(6), gif.readUInt16LE(8)]).toEqual([30, 20]);
    const palette = gif.subarray(13, 13 + 3 * 256);
    expect([...palette]).toEqual(Array.from({ length: 256 }, (_, grey) => [grey, grey, grey]).flat());
    expect(delaysOf(gif)).toEqual([14, 14, 300]);
    expect(gif.includes(Buffer.from('NETSCAPE2.0\x03\x01\x00\x00', 'latin1'))).toBe(true);
  });

  it('has the colours of a coloured frame, each with a palette of its own', () => {
    const writer = new GifWriter();
    const colours = (red: number) => Uint8Array.from({ length: 3 * 6 }, (_, i) => [red, 128, 0][i % 3] ?? 0);
    for (const red of [248, 0]) writer.add({ width: 3, height: 2, pixels: colours(red) }, 140);
    const gif = Buffer.from(writer.finish());
    expect([...gif.subarray(13, 16)]).toEqual([248, 128, 0]);
    expect(gif.includes(Buffer.of(0, 128, 0))).toBe(true);
  });

  it('refuses pixels that are neither grey nor coloured', async () => {
    const picture = { width: 3, height: 2, pixels: new Uint8Array(12) };
    expect(await errorOf(() => new GifWriter().add(picture, 140))).toBe(
      'shape: picture: expected 3 x 2 x 1 or 3 bytes, got 12',
    );
  });

  it('refuses a frame of another size', async () => {
    const writer = new GifWriter();
    writer.add(frame(30, 20), 140);
    expect(await errorOf(() => writer.add(frame(20, 30), 140))).toBe(
      'shape: gif: expected a frame of 30 x 20 pixels, got 20 x 30',
    );
  });
});
