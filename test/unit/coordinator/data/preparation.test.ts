import { describe, expect, it } from 'vitest';
import { Preparation, type PreparationOptions } from '../../../../coordinator/data/preparation.ts';
import { errorOf } from '../../scratch.ts';

const OPTIONS: PreparationOptions = { resize: 'fit', transpose: false, invert: false, background: [0, 0, 0] };

/** An image of `width` x `height` as one of 2 x 2. */
function prepared(width: number, height: number, pixels: number[], options: Partial<PreparationOptions> = {}) {
  const channels = pixels.length / (width * height);
  const preparation = new Preparation({ ...OPTIONS, ...options }, [2, 2, 1]);
  const out = new Uint8Array(4).fill(77);
  preparation.write({ width, height, channels, pixels: Uint8Array.from(pixels) }, out);
  return { pixels: [...out], done: preparation.describe() };
}

describe('Preparation', () => {
  it('leaves an image of the shape as it is', () => {
    expect(prepared(2, 2, [1, 2, 3, 4])).toEqual({ pixels: [1, 2, 3, 4], done: null });
  });

  it('fits, covers or stretches', () => {
    const wide = [10, 10, 200, 200]; // 4 x 1
    expect(prepared(4, 1, wide, { background: [9, 9, 9] })).toEqual({
      pixels: [10 + 27, 200 - 27, 9, 9],
      done: '4 x 1 to 2 x 2 (fit on #090909)',
    });
    expect(prepared(4, 1, wide, { resize: 'stretch' }).pixels).toEqual([37, 173, 37, 173]);
    // The pixel in the middle, on the left of two.
    expect(prepared(4, 1, wide, { resize: 'cover' })).toEqual({
      pixels: [10, 10, 10, 10],
      done: '4 x 1 to 2 x 2 (cover)',
    });
    expect(prepared(1, 4, wide, { resize: 'cover' }).pixels).toEqual([10, 10, 10, 10]);
    expect(prepared(1, 4, wide).pixels).toEqual([37, 0, 173, 0]);
  });

  it('lays what is not opaque over the background, then makes it grey', () => {
    expect(prepared(2, 2, [200, 0, 200, 255, 200, 128, 200, 64], { background: [100, 100, 100] })).toEqual({
      pixels: [100, 200, 150, 125],
      done: 'opacity over #646464',
    });
    const red = [255, 0, 0];
    expect(prepared(2, 2, [...red, ...red, ...red, ...red])).toEqual({
      pixels: [76, 76, 76, 76],
      done: 'colour to grey',
    });
  });

  it('exchanges rows and columns first, light and dark last', () => {
    expect(prepared(2, 2, [1, 2, 3, 4], { transpose: true, invert: true })).toEqual({
      pixels: [254, 252, 253, 251],
      done: 'rows and columns exchanged, light and dark exchanged',
    });
  });

  it('says the sizes it has met', () => {
    const preparation = new Preparation(OPTIONS, [2, 2, 1]);
    const out = new Uint8Array(4);
    for (const [width, height] of [
      [3, 5],
      [9, 4],
    ] as const) {
      preparation.write({ width, height, channels: 1, pixels: new Uint8Array(width * height) }, out);
    }
    expect(preparation.describe()).toBe('3 x 4 .. 9 x 5 to 2 x 2 (fit on #000000)');
  });

  it('refuses an image of no pixels, or of too many', async () => {
    const image = { width: 2 ** 14, height: 2 ** 13, channels: 1, pixels: new Uint8Array(1) };
    const preparation = new Preparation(OPTIONS, [2, 2, 1]);
    expect(await errorOf(() => preparation.write(image, new Uint8Array(4)))).toMatch(
      'data: expected an image of 1 to 67108864 pixels, got 16384 x 8192',
    );
  });
});
