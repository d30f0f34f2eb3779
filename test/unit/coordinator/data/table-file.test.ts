// What a table of images may look like, and what is said of one that is wrong.
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { errorOf, scratchFolder } from '../../scratch.ts';
import { load, writeFiles } from './idx-bytes.ts';

const SIDE = 4;
const NAMES = Array.from({ length: SIDE * SIDE }, (_, i) => `pixel${i}`);
const PIXELS = NAMES.map((_, i) => i * 10);

/** The path of a table. */
function table(content: string): string {
  const folder = scratchFolder();
  writeFiles(folder, { 'train.csv': content });
  return join(folder, 'train.csv');
}

describe('a table of images', () => {
  it.each([
    ['names and classes first', `label,${NAMES}\n7,${PIXELS}\n8,${PIXELS}\n`, [7, 8]],
    ['names and classes last', `${NAMES},class\n${PIXELS},7\n${PIXELS},8\n`, [7, 8]],
    ['no names', `7,${PIXELS}\n8,${PIXELS}`, [7, 8]],
    ['no classes', `${NAMES}\n${PIXELS}\n${PIXELS}\n`, []],
    ['Windows lines, a mark, blanks', `\uFEFFlabel,${NAMES}\r\n7, ${PIXELS.join(', ')}\r\n8,${PIXELS}\r\n\r\n`, [7, 8]],
    ['quotes and semicolons', `"label";"${NAMES.join('";"')}"\n"7";${PIXELS.join(';')}\n8;${PIXELS.join(';')}`, [7, 8]],
    ['floats that are whole', `label,${NAMES}\n7.0,${PIXELS.map((v) => `${v}.0`)}\n8.,${PIXELS}\n`, [7, 8]],
  ])('may have %s', async (_, content, labels) => {
    const { count, labels: got, images } = await load(table(content));
    expect([count, [...got]]).toEqual([2, labels]);
    expect([images[0], images[783]]).toEqual([0, 150]);
    expect(images.slice(0, 784)).toEqual(images.slice(784));
  });

  it.each([
    [
      'a value above 255',
      `label,${NAMES}\n7,${PIXELS.with(3, 256)}\n`,
      'line 2: expected pixels from 0 to 255, got 256',
    ],
    ['a negative value', `label,${NAMES}\n7,${PIXELS.with(3, -1)}\n`, 'line 2: expected numbers, got "-"'],
    ['a fraction', `label,${NAMES}\n7,${PIXELS.with(3, 0.5)}\n`, 'line 2: expected whole numbers, got a fraction'],
    ['a gap', `label,${NAMES}\n7,,${PIXELS.slice(1)}\n`, 'line 2: expected a number in column 2, got nothing'],
    ['a short line', `label,${NAMES}\n7,${PIXELS}\n7,1\n`, 'line 3: expected 17 columns, got 2'],
    ['a long line', `label,${NAMES}\n7,${PIXELS},1,1\n`, 'line 2: expected 17 columns, got 19'],
    ['names alone', `label,${NAMES}\n`, 'expected rows of images, got none'],
    [
      'other columns',
      'a,b,c\n1,2,3\n',
      'expected rows of as many numbers as a square has pixels, in grey or colour, with a class or without, got 3 columns',
    ],
    ['a class too large', `label,${NAMES}\n65536,${PIXELS}\n`, 'line 2: expected a class below 65536, got 65536'],
  ])('with %s is refused by its line', async (_, content, reason) => {
    const path = table(content);
    expect(await errorOf(() => load(path))).toBe(`data: ${path}: ${reason}`);
  });
});
