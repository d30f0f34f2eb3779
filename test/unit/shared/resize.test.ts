import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { resize } from '../../../shared/resize.ts';
import { errorOf } from '../scratch.ts';

const grey = (width: number, height: number, pixels: readonly number[]) => {
  return { width, height, channels: 1, pixels: Uint8Array.from(pixels) };
};

describe('resize', () => {
  it('changes nothing where the size stays', () => {
    const image = grey(2, 2, [1, 2, 3, 4]);
    expect(resize(image, 2, 2)).toEqual(image.pixels);
  });

  it('weighs what a pixel covers by a triangle', () => {
    // 4 to 2: pixel 0 lies at 1 with a support of 2, so that pixels at 0.5, 1.5 and 2.5 weigh 1.5, 1.5 and 0.5.
    expect([...resize(grey(4, 1, [0, 70, 140, 210]), 2, 1)]).toEqual([50, 160]);
    // 2 to 4: between the two centres.
    expect([...resize(grey(2, 1, [0, 200]), 4, 1)]).toEqual([0, 50, 150, 200]);
    expect([...resize(grey(1, 2, [0, 200]), 1, 4)]).toEqual([0, 50, 150, 200]);
  });

  it('has the bytes of Pillow 13 with BILINEAR', () => {
    // Image.fromarray(np.arange(35, dtype=np.uint8).reshape(5, 7) * 7).resize((3, 4), Image.BILINEAR)
    const image = grey(
      7,
      5,
      Array.from({ length: 35 }, (_, i) => i * 7),
    );
    expect([...resize(image, 3, 4)]).toEqual([18, 33, 48, 75, 90, 105, 133, 148, 163, 190, 205, 220]);
  });

  it('keeps colours apart', () => {
    const pixels = Uint8Array.of(0, 10, 20, 100, 110, 120);
    expect([...resize({ width: 2, height: 1, channels: 3, pixels }, 1, 1)]).toEqual([50, 60, 70]);
  });

  it('keeps one colour exactly, and stays between the darkest and the lightest', () => {
    const side = fc.integer({ min: 1, max: 90 });
    fc.assert(
      fc.property(side, side, side, side, fc.integer({ min: 0, max: 255 }), fc.nat(), (w, h, tw, th, value, seed) => {
        expect(new Set(resize(grey(w, h, new Array(w * h).fill(value)), tw, th))).toEqual(new Set([value]));
        const noise = Array.from({ length: w * h }, (_, i) => ((i + seed) * 2654435761) % 256);
        const result = resize(grey(w, h, noise), tw, th);
        expect(Math.min(...result)).toBeGreaterThanOrEqual(Math.min(...noise));
        expect(Math.max(...result)).toBeLessThanOrEqual(Math.max(...noise));
      }),
    );
  });

  it('takes a row of 20,000 pixels', () => {
    expect([...resize(grey(20_000, 1, new Array(20_000).fill(9)), 28, 1)]).toEqual(new Array(28).fill(9));
  });

  it('refuses sides that are none', async () => {
    expect(await errorOf(() => resize(grey(1, 1, [0]), 0, 1))).toBe(
      'shape: resize: expected sides of at least 1, got 1 x 1 to 0 x 1',
    );
  });
});
