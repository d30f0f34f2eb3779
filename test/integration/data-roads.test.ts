// The same images by every road that other programs write (Pillow, NumPy, pandas, pyarrow, zip, tar): one hash of the data, one of the state.
import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { PNG } from 'pngjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadData } from '../../coordinator/data/load-data.ts';
import { decodePicture } from '../../coordinator/images/decode.ts';
import { defaultSettings } from '../../coordinator/settings/settings.ts';
import type { Settings } from '../../coordinator/settings/settings-table.ts';
import { errorOf } from '../unit/scratch.ts';
import { ganglion, REPOSITORY, scratchFolder, succeed, summaryOf } from './ganglion.ts';
import { withoutPip, writeData } from './python.ts';

const scratch = scratchFolder('roads');
const COUNT = 200;
const LABELS = Uint8Array.from({ length: COUNT }, (_, i) => (i * 7) % 10);
/** Rings and edges, no two the same. */
const IMAGES = Uint8Array.from({ length: COUNT * 784 }, (_, i) => {
  const [image, x, y] = [Math.floor(i / 784), (i % 28) - 14, Math.floor((i % 784) / 28) - 14];
  return Math.abs(x * x + y * y - 3 * (image % 40)) < 20 + image / 8 ? 255 - (image % 50) : (image + x) & 7;
});
const INSTALL_MS = 600_000;

const FOLDERS = ['idx', 'npy', 'png', 'split', 'csv', 'hf', 'shards'];
const FILES = ['keras.npz', 'medmnist.npz', 'headless.csv', 'packed.csv.gz'];
const ARCHIVES = ['pictures.zip', 'pictures.tar', 'pictures.tar.gz', 'kaggle.zip'];
const WITH_LABELS = [...FOLDERS, ...FILES, ...ARCHIVES];
const PICTURES = ['flat', 'webp', 'gif', 'bmp', 'bmp24', 'bmp32', 'colour', 'palette', 'opaque'];
const ARRAYS_IN_COLOUR = ['idx', 'last.npy', 'first.npy', 'keras.npz', 'bare.csv', 'named.csv'];
const IN_COLOUR = [...ARRAYS_IN_COLOUR, 'png', 'clear', 'webp', 'bmp', 'train.parquet', 'pictures.zip'];
const WITHOUT_LABELS = [...PICTURES, 'wide.npy', 'plain.npz', 'test.csv'];

function load(path: string, settings: Partial<Settings> = {}, onNotice: (line: string) => void = () => {}) {
  const all = { ...defaultSettings(), ...settings, data: scratch(path) };
  return loadData({ settings: all, cacheFolder: scratch('cache'), onNotice });
}

/** The data's hash by the compiled code, which has threads to decode. */
function loadCompiled(data: string, cacheFolder: string): string {
  const request = { settings: { ...defaultSettings(), data }, cacheFolder };
  const module = join(REPOSITORY, 'dist', 'coordinator', 'data', 'load-data.js');
  const program = `import { loadData } from ${JSON.stringify(module)};
    console.log((await loadData(${JSON.stringify(request)})).sha256);`;
  return execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' }).trim();
}

describe.skipIf(withoutPip)('data', () => {
  beforeAll(() => writeData(scratch(), IMAGES, LABELS), INSTALL_MS);

  it.each(WITH_LABELS)('of %s is that of the others, with its labels', async (path) => {
    const [dataset, idx] = [await load(path), await load('idx')];
    expect(Buffer.from(dataset.images).equals(IMAGES)).toBe(true);
    expect([dataset.count, dataset.sha256]).toEqual([COUNT, idx.sha256]);
    expect([...dataset.labels]).toEqual([...LABELS]);
    expect(dataset.preparation).toBe(null);
  });

  it.each(WITHOUT_LABELS)('of %s is that of the others, without labels', async (path) => {
    const dataset = await load(path);
    expect(Buffer.from(dataset.images).equals(IMAGES)).toBe(true);
    expect([dataset.sha256, dataset.labels.length]).toEqual([(await load('idx')).sha256, 0]);
  });

  it.each(IN_COLOUR)('of rgb/%s is that of the others, in colour', async (path) => {
    const [dataset, idx] = [await load(`rgb/${path}`), await load('rgb/idx')];
    expect([dataset.count, dataset.imageShape, dataset.preparation]).toEqual([40, [28, 28, 3], null]);
    expect(dataset.sha256).toBe(idx.sha256);
    expect(dataset.images.filter((_, i) => i % 3 === 0)).toEqual(new Uint8Array(IMAGES.subarray(0, 40 * 784)));
  });

  it('of pictures that cannot be used is named and counted, and left out only by --skip-broken', async () => {
    const reasons: Record<string, string> = {};
    for (const name of readdirSync(scratch('broken'))) reasons[name] = await errorOf(() => load(`broken/${name}`));
    const start = 'data: 1 of 1 pictures cannot be used: ';
    const reasonOf = (name: string) =>
      reasons[name]?.replace(`${start}${name} (`, '').replace('); --skip-broken leaves them out', '');
    expect(Object.fromEntries(Object.keys(reasons).map((name) => [name, reasonOf(name)]))).toEqual({
      'bomb.png': expect.stringMatching(/^damaged: /),
      'bomb-in-colour.png': expect.stringMatching(/^damaged: /),
      'cmyk.jpg': 'CMYK, expected grey or red, green and blue',
      'cut-palette.png': expect.stringMatching(/^damaged: /),
      'cut.bmp': 'expected 7254 bytes, got 7253',
      'cut.jpg': expect.stringMatching(/premature end/),
      'cut.png': expect.stringMatching(/^damaged: /),
      'deep-in-colour.png': '16 bits a channel, expected 8',
      'deep.png': '16 bits a channel, expected 8',
      'drawing.svg': 'SVG, expected PNG, JPEG, WebP, GIF or BMP',
      'empty.png': 'empty',
      'flipped.png': expect.stringMatching(/^damaged: /),
      'huge.jpg': 'more than 67108864 pixels',
      'huge.png': '60000 x 60000 pixels, expected at most 67108864',
      'moving.gif': 'animated',
      'moving.png': 'animated',
      'moving.webp': 'animated',
      'scan.tiff': 'TIFF, expected PNG, JPEG, WebP, GIF or BMP',
      'text.png': 'no picture',
    });
    expect(await errorOf(() => load('broken', { skipBroken: 'on' }))).toMatch(
      /^data: 19 of 19 pictures cannot be used: /,
    );
    symlinkSync('nothing', scratch('mixed', 'link.png'));
    writeFileSync(scratch('mixed', 'sparse.png'), '');
    truncateSync(scratch('mixed', 'sparse.png'), 2 ** 33);
    expect(await errorOf(() => load('mixed'))).toMatch(
      /^data: 21 of 26 pictures cannot be used: .* and 16 more; --skip-broken leaves them out$/,
    );
    const notices: string[] = [];
    const dataset = await load('mixed', { skipBroken: 'on' }, (line) => notices.push(line));
    expect(Buffer.from(dataset.images).equals(IMAGES.subarray(0, 5 * 784))).toBe(true);
    expect(dataset.preparation).toBe('21 of 26 pictures left out');
    expect(notices).toEqual([expect.stringMatching(/^21 of 26 pictures cannot be used: .* and 16 more$/)]);
  });

  it('of a photo is turned as its EXIF says', async () => {
    const { images } = await load('orient');
    for (let i = 0; i < 784; i++) expect(Math.abs((images[i] ?? 0) - (images[784 + i] ?? 0))).toBeLessThanOrEqual(3);
    expect((images[27 * 28] ?? 0) - (images[0] ?? 0)).toBeGreaterThan(200);
  });

  it('with opacity is laid over the background', async () => {
    const { images } = await load('clear', { background: '#ff0000', channels: 1 });
    // (200 x 128 + 255 x 127) / 255 = 227 red, 100 green and blue.
    expect(new Set(images)).toEqual(new Set([138]));
    const colour = await load('clear', { background: '#ff0000' });
    expect([colour.imageShape, [...colour.images.subarray(0, 3)]]).toEqual([
      [28, 28, 3],
      [227, 100, 100],
    ]);
  });

  it('trains to one state by every road, threads and cache included', async () => {
    const many = scratch('many');
    mkdirSync(many);
    for (let i = 0; i < 1000; i++) copyFileSync(scratch('flat', `${i % COUNT}.png`), join(many, `${i}.png`));
    const header = Buffer.of(0, 0, 8, 3, 0, 0, 3, 232, 0, 0, 0, 28, 0, 0, 0, 28);
    writeFileSync(scratch('many.idx'), Buffer.concat([header, IMAGES, IMAGES, IMAGES, IMAGES, IMAGES]));
    const small = ['--workers', '1', '--batch', '32', '--shards', '4', '--latent', '16', '--metrics-port', 'off'];
    const states = [];
    for (const [i, path] of [many, scratch('many.idx')].entries()) {
      const run = scratch(`run-${i}`);
      await succeed(['train', ...small, '--steps', '2', '--data', path, '--run', run]);
      const { dataSha256 } = JSON.parse(readFileSync(join(run, 'config.json'), 'utf8'));
      states.push([summaryOf(run).stateSha256, dataSha256]);
    }
    expect(states[1]).toEqual(states[0]);

    const cached = scratch('cache');
    const hash = (): string => loadCompiled(many, cached);
    expect([hash(), hash()]).toEqual([states[0]?.[1], states[0]?.[1]]);
    const kept = readdirSync(cached);
    expect(kept).toEqual([expect.stringMatching(/^pictures-[0-9a-f]{32}\.bin$/)]);
    // Damage is noticed, and so is a file that has changed.
    const file = join(cached, kept[0] ?? '');
    const bytes = readFileSync(file);
    writeFileSync(file, bytes.fill(0, bytes.length - 100));
    expect(hash()).toBe(states[0]?.[1]);
    copyFileSync(join(many, '1.png'), join(many, '0.png'));
    expect(hash()).not.toBe(states[0]?.[1]);
    expect(readdirSync(cached)).toHaveLength(2);
  });

  it.each([
    ['pictures.zip', 'whole ZIP archive'],
    ['keras.npz', 'whole ZIP archive'],
    ['pictures.tar', 'whole tar archive'],
    ['pictures.tar.gz', 'whole gzip file'],
    ['packed.csv.gz', 'whole gzip file'],
    ['hf/mnist/train-00000-of-00001.parquet', 'whole Parquet file'],
    ['wide.npy', 'length in bytes'],
  ])('of a cut or damaged %s is refused', async (path, expected) => {
    const name = `damaged-${basename(path)}`;
    const whole = readFileSync(scratch(path));
    const half = whole.length >> 1;
    writeFileSync(scratch(name), whole.subarray(0, half));
    expect(await errorOf(() => load(name))).toContain(`${scratch(name)}: expected a ${expected}`);
    writeFileSync(scratch(name), whole.subarray(0, 100));
    expect(await errorOf(() => load(name))).toMatch(new RegExp(`^data: ${scratch(name)}: expected `));
    const flipped = Buffer.from(whole);
    flipped.fill(0x55, half, half + 600);
    writeFileSync(scratch(name), flipped);
    expect(await errorOf(() => load(name))).toMatch(/^data: /);
  });

  it('is looked at before training', async () => {
    copyFileSync(scratch('flat', '3.png'), scratch('png', '9', '1003.png'));
    const seen = await succeed(['data', scratch('png'), '--picture', scratch('grid.png')]);
    expect(seen).toMatch(/^data {8}png \(201 images\)\nimages {6}201 of 28 x 28, grey\n/);
    expect(seen).toContain('classes     10\n            0: 20 (10.0 %)\n');
    expect(seen).toContain('duplicates  1 (0.5 %) are equal to an earlier image\n');
    const grid = PNG.sync.read(readFileSync(scratch('grid.png')));
    expect([grid.width, grid.height]).toEqual([238, 238]);
    const args = ['--invert', '--json', '--picture', scratch('grid.png')];
    const json = JSON.parse(await succeed(['data', scratch('colour'), ...args]));
    expect(json).toMatchObject({
      count: COUNT,
      classes: [],
      duplicates: 0,
      preparation: 'light and dark exchanged', // its colours are grey
      sha256: (await load('colour', { invert: 'on' })).sha256,
    });
  });

  it('that is refused leaves no run', async () => {
    const { exitCode, stderr } = await ganglion(['train', '--data', scratch('mixed'), '--run', scratch('refused')]);
    expect([exitCode, stderr]).toEqual([2, expect.stringMatching(/^ganglion: 21 of 26 pictures [^\n]+\n$/)]);
    expect(existsSync(scratch('refused'))).toBe(false);
  });
});

it.skipIf(withoutPip)('BMP files of Pillow are its PNG files', async () => {
  const read = (path: string) => decodePicture(readFileSync(scratch(path)), 2 ** 20);
  expect((await read('bmp24/3.bmp')).pixels).toEqual((await read('colour/3.png')).pixels);
  expect((await read('bmp32/3.bmp')).pixels.length).toBe(3 * 784);
});
