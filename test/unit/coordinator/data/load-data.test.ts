// What `--data` takes of array files: names, places, packing, labels; and what it says of those that are wrong.
import { mkdirSync, readFileSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { toDataset } from '../../../../coordinator/data/dataset.ts';
import { copiedMnist, errorOf, hasMnist, MNIST_FOLDER, scratchFolder } from '../../scratch.ts';
import { idx, load, someImages, writeFiles } from './idx-bytes.ts';

const COUNT = 12;
const PIXELS = someImages(COUNT);
const IMAGES = idx([COUNT, 28, 28], PIXELS);
const CLASSES = Uint8Array.from({ length: COUNT }, (_, i) => i % 4);
const LABELS = idx([COUNT], CLASSES);
const HASH = toDataset('', PIXELS, new Uint8Array(0), [28, 28, 1]).sha256;
const TEST = idx([3, 28, 28], PIXELS.subarray(0, 3 * 784));

/** The message for files below a folder; the folder left out. */
async function reasonFor(files: Readonly<Record<string, Uint8Array | string>>, path = ''): Promise<string> {
  const folder = scratchFolder();
  writeFiles(folder, files);
  const reason = await errorOf(() => load(join(folder, path)));
  return reason.replaceAll(folder, 'FOLDER');
}

describe('idx files', () => {
  it.each([
    ['MNIST', { 'train-images-idx3-ubyte': IMAGES, 'train-labels-idx1-ubyte': LABELS, 't10k-images-idx3-ubyte': TEST }],
    ['gzip', { 'train-images-idx3-ubyte.gz': gzipSync(IMAGES), 'train-labels-idx1-ubyte.gz': gzipSync(LABELS) }],
    [
      'Kaggle',
      { 'train-images.idx3-ubyte': IMAGES, 'train-labels.idx1-ubyte': LABELS, 't10k-images.idx3-ubyte': TEST },
    ],
    [
      '7-Zip, with a folder of the name of every file',
      {
        'train-images.idx3-ubyte': IMAGES,
        'train-images-idx3-ubyte/train-images-idx3-ubyte': IMAGES,
        'train-labels-idx1-ubyte/train-labels-idx1-ubyte': LABELS,
      },
    ],
    [
      'torchvision, packed and unpacked',
      {
        'FashionMNIST/raw/train-images-idx3-ubyte': IMAGES,
        'FashionMNIST/raw/train-images-idx3-ubyte.gz': gzipSync(IMAGES),
        'FashionMNIST/raw/train-labels-idx1-ubyte': LABELS,
        'FashionMNIST/raw/t10k-images-idx3-ubyte': TEST,
      },
    ],
    [
      'EMNIST',
      {
        'gzip/emnist-letters-train-images-idx3-ubyte.gz': gzipSync(IMAGES),
        'gzip/emnist-letters-train-labels-idx1-ubyte.gz': gzipSync(LABELS),
        'gzip/emnist-letters-test-images-idx3-ubyte.gz': gzipSync(TEST),
        'gzip/emnist-letters-mapping.txt': '1 65 97',
      },
    ],
    ['any names', { 'pictures.bin': IMAGES, 'classes.bin': LABELS, 'README.md': '#' }],
  ])('of %s', async (_, files) => {
    const folder = scratchFolder();
    writeFiles(folder, files);
    const dataset = await load(folder);
    expect([dataset.count, dataset.sha256, dataset.preparation]).toEqual([COUNT, HASH, null]);
    expect([...dataset.labels]).toEqual([...CLASSES]);
    expect(dataset.name).toMatch(/^ganglion-data-\w+ \(12 images\)$/);
  });

  it('may lack labels, and may be named one by one, with the labels beside it', async () => {
    const folder = scratchFolder();
    writeFiles(folder, {
      'a/train-images-idx3-ubyte': IMAGES,
      'b/x-images-idx3-ubyte': IMAGES,
      'b/x-labels-idx1-ubyte': LABELS,
    });
    const [bare, named] = [await load(join(folder, 'a')), await load(join(folder, 'b', 'x-images-idx3-ubyte'))];
    expect([bare.sha256, bare.labels.length, bare.name]).toEqual([HASH, 0, 'a (12 images)']);
    expect([named.sha256, named.labels.length]).toEqual([HASH, COUNT]);
  });

  it('may have labels of several numbers, as QMNIST has', async () => {
    const folder = scratchFolder();
    const values = Buffer.alloc(COUNT * 8 * 4);
    for (let i = 0; i < COUNT; i++) {
      values.writeInt32BE(i % 4, i * 32);
      values.writeInt32BE(-5, i * 32 + 4);
    }
    writeFiles(folder, {
      'qmnist-train-images-idx3-ubyte.gz': gzipSync(IMAGES),
      'qmnist-train-labels-idx2-int.gz': gzipSync(idx([COUNT, 8], values, 12)),
    });
    expect([...(await load(folder)).labels]).toEqual([...CLASSES]);
  });

  it("of other sizes, types and channels become the model's", async () => {
    const folder = scratchFolder();
    const short = Buffer.alloc(2 * 2 * 2 * 2);
    short.writeInt16BE(200, 2);
    writeFiles(folder, {
      small: idx([2, 2, 2], short, 11),
      colour: idx(
        [1, 28, 28, 3],
        Uint8Array.from({ length: 28 * 28 * 3 }, (_, i) => (i % 3 === 1 ? 50 : 9)),
      ),
    });
    const small = await load(join(folder, 'small'));
    expect([small.count, small.imageShape, small.preparation]).toEqual([
      2,
      [28, 28, 1],
      '2 x 2 to 28 x 28 (fit on #000000)',
    ]);
    expect(small.images[27]).toBe(200);
    const colour = await load(join(folder, 'colour'), { invert: 'on', channels: 1 });
    expect(new Set(colour.images)).toEqual(new Set([255 - 33]));
    expect(colour.preparation).toBe('colour to grey, light and dark exchanged');
  });

  it('turns images by their diagonal', async () => {
    const folder = scratchFolder();
    writeFiles(folder, { images: IMAGES });
    const { images } = await load(folder, { transpose: 'on' });
    expect([images[1], images[28]]).toEqual([PIXELS[28], PIXELS[1]]);
  });

  it('say what is wrong with them', async () => {
    const name = 'train-images-idx3-ubyte';
    const at = `data: FOLDER/${name}: expected`;
    const cut = IMAGES.subarray(0, -1);
    expect(await reasonFor({ [name]: cut })).toBe(`${at} a length in bytes of 9424, got 9423`);
    expect(await reasonFor({ [name]: Buffer.concat([IMAGES, Buffer.of(0)]) })).toBe(
      `${at} a length in bytes of 9424, got 9425`,
    );
    expect(await reasonFor({ [name]: IMAGES.subarray(0, 10) })).toBe(`${at} a header of 16 bytes, got 10 bytes`);
    expect(await reasonFor({ [name]: '' })).toBe(`${at} a header of an idx file, got 0 bytes`);
    expect(await reasonFor({ [name]: 'GIF89a: not what it says' })).toBe(
      `${at} the magic number of an idx file, such as 0x00000803, got 0x47494638`,
    );
    expect(await reasonFor({ [name]: idx([0, 28, 28], new Uint8Array(0)) })).toBe(
      `${at} at least one image, of 1 to 67108864 pixels, got an array of 0 x 28 x 28`,
    );
    expect(await reasonFor({ [name]: idx([1, 28, 28], Buffer.alloc(784 * 4), 13) })).toMatch(
      `${at} pixels of whole numbers from 0 to 255, got float32`,
    );
    expect(await reasonFor({ [name]: idx([1, 1, 1], Buffer.of(1, 0), 11) })).toBe(
      `${at} pixels from 0 to 255, got 256`,
    );
    const packed = gzipSync(IMAGES);
    const gz = `data: FOLDER/${name}.gz: expected a whole gzip file, got`;
    expect(await reasonFor({ [`${name}.gz`]: packed.subarray(0, -9) })).toBe(`${gz} unexpected end of file`);
    expect(await reasonFor({ [`${name}.gz`]: '' })).toBe(`${gz} unexpected end of file`);
    expect(await reasonFor({ [`${name}.gz`]: IMAGES })).toBe(`${gz} incorrect header check`);
    packed.writeUInt8(packed.readUInt8(packed.length - 8) ^ 1, packed.length - 8);
    expect(await reasonFor({ [`${name}.gz`]: packed })).toBe(`${gz} incorrect data check`);
    expect(await reasonFor({ [name]: IMAGES, 'train-labels-idx1-ubyte': idx([3], CLASSES.subarray(0, 3)) })).toBe(
      `data: FOLDER/train-labels-idx1-ubyte: expected a class for every image, got 3, and 12 images in FOLDER/${name}`,
    );
    expect(await reasonFor({ 'a/x-images-idx3-ubyte': IMAGES, 'b/x-images-idx3-ubyte': IMAGES })).toBe(
      'data: data folder FOLDER: expected one set of images, got a/x-images-idx3-ubyte, b/x-images-idx3-ubyte; name one of them',
    );
    expect(await reasonFor({ 'x-labels-idx1-ubyte': LABELS }, 'x-labels-idx1-ubyte')).toBe(
      'data: FOLDER/x-labels-idx1-ubyte: expected an array of images, got one of 12',
    );
  });

  it('of more than memory are refused with their size, in a sparse file as well', async () => {
    const folder = scratchFolder();
    const path = join(folder, 'images');
    writeFileSync(path, idx([2 ** 32 - 1, 28, 28], new Uint8Array(0)));
    truncateSync(path, 2 ** 41);
    expect(await errorOf(() => load(path))).toMatch(
      `data: ${path}: 4294967295 images need 3136.0 GiB of memory: expected at most `,
    );
  });

  it('are no pipes, devices, sockets or links to nothing', async () => {
    const folder = scratchFolder();
    const name = 'train-images-idx3-ubyte';
    symlinkSync('nothing', join(folder, name));
    expect(await errorOf(() => load(folder))).toBe(
      `data: cannot read ${join(folder, name)}: no such file or directory`,
    );
    expect(await errorOf(() => load('/dev/zero'))).toBe(
      'data: cannot read /dev/zero: expected a file or a folder, got a device',
    );
    mkdirSync(join(folder, 'sub'));
    symlinkSync('..', join(folder, 'sub', 'up'));
    expect(await errorOf(() => load(folder))).toContain('sub/up: expected a folder, got a link to a folder above');
    symlinkSync('self', join(folder, 'self'));
    expect(await errorOf(() => load(join(folder, 'self')))).toBe(
      `data: cannot read ${join(folder, 'self')}: too many symbolic links encountered`,
    );
  });
});

describe.skipIf(!hasMnist)('MNIST', () => {
  it('is known by its content under any name, and its own files are checked as ever', async () => {
    const folder = scratchFolder();
    const images = gunzipSync(readFileSync(join(MNIST_FOLDER, 'train-images-idx3-ubyte.gz')));
    writeFiles(folder, { 'pictures.bin': images });
    const dataset = await load(folder);
    expect([dataset.name, dataset.sha256]).toEqual([
      'MNIST (60,000 training images)',
      'edc0d1098aa497be14ace79ddd5171e5a3dcf9c4d196c015389203eb3ba1f59b',
    ]);
    images[1000] = (images[1000] ?? 0) ^ 1;
    for (const name of ['train-images-idx3-ubyte', 't10k-images-idx3-ubyte']) {
      const copy = copiedMnist(name);
      const raw = gunzipSync(readFileSync(join(MNIST_FOLDER, `${name}.gz`)));
      raw[1000] = (raw[1000] ?? 0) ^ 1;
      writeFiles(copy, { [name]: raw });
      expect(await errorOf(() => load(copy))).toMatch(`${join(copy, name)}: expected content with SHA-256`);
    }
    expect(dataset.count).toBe(60_000);
  });

  it('may be another set of its names and sizes', async () => {
    const copy = copiedMnist('t10k-images-idx3-ubyte');
    const other = (name: string, header: number, count: number) => {
      const raw = gunzipSync(readFileSync(join(MNIST_FOLDER, `${name}.gz`)));
      return gzipSync(raw.fill(7, header, header + count), { level: 1 });
    };
    writeFiles(copy, {
      't10k-images-idx3-ubyte.gz': other('t10k-images-idx3-ubyte', 16, 9),
      'train-images-idx3-ubyte.gz': other('train-images-idx3-ubyte', 16, 9),
    });
    const { count, name } = await load(copy);
    expect([count, name]).toEqual([60_000, expect.stringMatching(/\(60,000 images\)$/)]);
  });
});
