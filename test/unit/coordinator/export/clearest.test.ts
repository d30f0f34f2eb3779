import { describe, expect, it } from 'vitest';
import { clearestFirst } from '../../../../coordinator/export/clearest.ts';

/** An image of characters: `#` is ink, `+` light grey, `-` dark grey, a dot is ground. */
function toImage(rows: string, channels = 1): number[] {
  const values: Record<string, number> = { '#': 1, '+': 0.3, '-': -0.3, '.': -1 };
  return [...rows.replace(/\s/g, '')].flatMap((pixel) => Array<number>(channels).fill(values[pixel] ?? Number.NaN));
}

const STROKE = '.#.. ..#. ...# ..#.'; // joined by corners
const BLURRED = '.#-. .-#. ..-# ..#.';
const BROKEN = '#... #... ...# ...#';
const SMUDGE = '-+-. +-+- -+-+ .-+-';
const BLOT = '###. ###. ###. ....';
const EMPTY = '.... .... .... ....';

describe('clearestFirst', () => {
  it('puts one sharp stroke before a blurred one, and both before pieces and nothing', () => {
    const images = Float32Array.from([EMPTY, BROKEN, BLURRED, SMUDGE, STROKE].flatMap((rows) => toImage(rows)));
    const order = clearestFirst(images, 5, [4, 4, 1]);
    expect(order[0]).toBe(4);
    expect(order[1]).toBe(2);
    expect(order.indexOf(3)).toBeLessThan(order.indexOf(1)); // one piece, however grey
    expect(order.toSorted()).toEqual([0, 1, 2, 3, 4]);
  });

  it('puts a stroke before a blot, which is sharper', () => {
    const images = Float32Array.from([BLOT, BLURRED].flatMap((rows) => toImage(rows)));
    expect(clearestFirst(images, 2, [4, 4, 1])).toEqual([1, 0]);
  });

  it('keeps the order of images that are equally clear', () => {
    const images = Float32Array.from([STROKE, STROKE, STROKE].flatMap((rows) => toImage(rows)));
    expect(clearestFirst(images, 3, [4, 4, 1])).toEqual([0, 1, 2]);
  });

  it('takes the mean of the channels', () => {
    const images = Float32Array.from([SMUDGE, STROKE].flatMap((rows) => toImage(rows, 3)));
    expect(clearestFirst(images, 2, [4, 4, 3])).toEqual([1, 0]);
  });
});
