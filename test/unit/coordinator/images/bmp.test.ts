import { describe, expect, it } from 'vitest';
import { decodeBmp } from '../../../../coordinator/images/bmp.ts';

interface Options {
  readonly width: number;
  readonly height: number;
  readonly bits: number;
  readonly compression?: number;
  /** Bytes between the header and the pixels: masks or a palette. */
  readonly between?: number[];
}

function bmp({ width, height, bits, compression = 0, between = [] }: Options, pixels: number[]): Buffer {
  const header = Buffer.alloc(54);
  header.write('BM');
  header.writeUInt32LE(54 + between.length, 10);
  header.writeUInt32LE(40, 14);
  header.writeInt32LE(width, 18);
  header.writeInt32LE(height, 22);
  header.writeUInt16LE(1, 26);
  header.writeUInt16LE(bits, 28);
  header.writeUInt32LE(compression, 30);
  return Buffer.concat([header, Buffer.from(between), Buffer.from(pixels)]);
}

const read = (options: Options, pixels: number[]) => [...decodeBmp(bmp(options, pixels), 100).pixels];

describe('decodeBmp', () => {
  it('reads rows from below, or from above where the height is negative', () => {
    const rows = [3, 2, 1, 0, 6, 5, 4, 0];
    expect(read({ width: 1, height: 2, bits: 24 }, rows)).toEqual([4, 5, 6, 1, 2, 3]);
    expect(read({ width: 1, height: -2, bits: 24 }, rows)).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('reads palettes of 1, 4 and 8 bits', () => {
    const between = [1, 2, 3, 0, 7, 8, 9, 0];
    const [a, b] = [
      [3, 2, 1],
      [9, 8, 7],
    ] as const;
    expect(read({ width: 3, height: 1, bits: 1, between }, [0b0100_0000, 0, 0, 0])).toEqual([...a, ...b, ...a]);
    expect(read({ width: 3, height: 1, bits: 4, between }, [0x01, 0x00, 0, 0])).toEqual([...a, ...b, ...a]);
    expect(read({ width: 3, height: 1, bits: 8, between }, [0, 1, 0, 0])).toEqual([...a, ...b, ...a]);
    expect(() => read({ width: 3, height: 1, bits: 8, between }, [0, 2, 0, 0])).toThrow('colour 2 of a palette of 2');
  });

  it('reads 16 and 32 bits, with masks or without', () => {
    expect(read({ width: 1, height: 1, bits: 16 }, [0x1f, 0x7c, 0, 0])).toEqual([255, 0, 255]);
    const masks = [0, 0xf8, 0, 0, 0xe0, 7, 0, 0, 0x1f, 0, 0, 0];
    const green = { width: 1, height: 1, bits: 16, compression: 3, between: masks };
    expect(read(green, [0xe0, 7, 0, 0])).toEqual([0, 255, 0]);
    expect(read({ width: 1, height: 1, bits: 32 }, [1, 2, 3, 255])).toEqual([3, 2, 1]);
  });

  it.each([
    ['compressed rows', { width: 1, height: 1, bits: 8, compression: 1 }, [0, 0, 0, 0], 'a compressed BMP file'],
    ['an odd number of bits', { width: 1, height: 1, bits: 7 }, [0, 0, 0, 0], '7 bits a pixel'],
    ['no width', { width: 0, height: 1, bits: 24 }, [0, 0, 0, 0], '0 x 1 pixels, expected 1 to 100'],
    ['too many pixels', { width: 2 ** 30, height: 2 ** 30, bits: 24 }, [], 'expected 1 to 100'],
    ['missing pixels', { width: 2, height: 2, bits: 24 }, [0, 0, 0, 0], 'expected 70 bytes, got 58'],
  ])('refuses %s', (_, options, pixels, message) => {
    expect(() => read(options, pixels)).toThrow(message);
  });

  it('refuses every cut header', () => {
    const whole = bmp({ width: 1, height: 1, bits: 24 }, [1, 2, 3, 0]);
    for (let length = 0; length < whole.length; length++) {
      expect(() => decodeBmp(whole.subarray(0, length), 100), String(length)).toThrow(Error);
    }
  });
});
