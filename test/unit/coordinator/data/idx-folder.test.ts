// Every kind of damage to every one of the four real files.
import { chmodSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { loadIdxFolder } from '../../../../coordinator/data/idx-folder.ts';
import { copiedMnist, errorOf, FILES, hasMnist, MNIST_FOLDER, scratchFolder } from '../../scratch.ts';

const compressed = (name: string): Buffer => readFileSync(join(MNIST_FOLDER, `${name}.gz`));
const raw = (name: string): Buffer => gunzipSync(compressed(name));

/** The message for the real files but one, which has `content` under `entry`; the folder left out. */
async function reasonOf(name: string, entry: string, content: Uint8Array): Promise<string> {
  const folder = copiedMnist(name);
  writeFileSync(join(folder, entry), content);
  const reason = await errorOf(() => loadIdxFolder(folder));
  expect(reason).toContain(join(folder, entry));
  return reason.replaceAll(folder, 'FOLDER');
}

function flipped(bytes: Uint8Array, index: number, mask = 1): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[index] = (copy[index] ?? 0) ^ mask;
  return copy;
}

describe.skipIf(!hasMnist)('loadIdxFolder', () => {
  it('loads the 60,000 training images of compressed files', () => {
    const dataset = loadIdxFolder(MNIST_FOLDER);
    expect(dataset.name).toBe('MNIST (60,000 training images)');
    expect([dataset.count, dataset.images.length]).toEqual([60_000, 47_040_000]);
    expect(dataset.images.buffer).toBeInstanceOf(SharedArrayBuffer);
    expect([...dataset.labels.subarray(0, 10)]).toEqual([5, 0, 4, 1, 9, 2, 1, 3, 1, 4]);
    expect(dataset.images.subarray(0, 784).reduce((a, b) => a + b)).toBe(27_525);
    expect(dataset.sha256).toBe('edc0d1098aa497be14ace79ddd5171e5a3dcf9c4d196c015389203eb3ba1f59b');
  });

  it('loads plain files, and prefers the compressed one where both are there', async () => {
    const folder = scratchFolder();
    for (const { name } of FILES) writeFileSync(join(folder, name), raw(name));
    expect(loadIdxFolder(folder).sha256).toBe('edc0d1098aa497be14ace79ddd5171e5a3dcf9c4d196c015389203eb3ba1f59b');
    writeFileSync(join(folder, 'train-labels-idx1-ubyte'), 'damaged');
    expect(await errorOf(() => loadIdxFolder(folder))).toContain('expected a header of 8 bytes, got 7 bytes');
    writeFileSync(join(folder, 'train-labels-idx1-ubyte.gz'), compressed('train-labels-idx1-ubyte'));
    expect(loadIdxFolder(folder).count).toBe(60_000);
  });

  it('ignores other files in the folder', () => {
    const folder = copiedMnist();
    writeFileSync(join(folder, 'train-images-idx3-ubyte.zip'), 'x');
    expect(loadIdxFolder(folder).count).toBe(60_000);
  });

  it.each(FILES.map((file) => [file.name, file] as const))('refuses a damaged %s', async (name, file) => {
    const bytes = raw(name);
    const header = 4 + 4 * file.shape.length;
    const sizes = file.shape.join(' x ');
    const at = `data: FOLDER/${name}: expected`;
    const magic = file.shape.length === 3 ? '0x00000803' : '0x00000801';
    expect(await reasonOf(name, name, flipped(bytes, 2))).toBe(
      `${at} the magic number ${magic}, got ${magic.replace('08', '09')}`,
    );
    expect(await reasonOf(name, name, flipped(bytes, 7))).toMatch(`${at} the sizes ${sizes}, got `);
    expect(await reasonOf(name, name, flipped(bytes, header - 1))).toMatch(`${at} the sizes ${sizes}, got `);
    expect(await reasonOf(name, name, bytes.subarray(0, -1))).toBe(
      `${at} a length in bytes of ${bytes.length}, got ${bytes.length - 1}`,
    );
    expect(await reasonOf(name, name, Buffer.concat([bytes, Buffer.of(0)]))).toBe(
      `${at} a length in bytes of ${bytes.length}, got ${bytes.length + 1}`,
    );
    for (const index of [header, header + 300, bytes.length - 1]) {
      const reason = await reasonOf(name, name, flipped(bytes, index));
      expect(reason).toMatch(new RegExp(`^${at} content with SHA-256 ${file.sha256}, got [0-9a-f]{64}$`));
      expect(reason).not.toMatch(new RegExp(`got ${file.sha256}`));
    }
  });

  it.each(FILES.map(({ name }) => name))('refuses damaged gzip data of %s', async (name) => {
    const bytes = compressed(name);
    const at = `data: FOLDER/${name}.gz: expected a whole gzip file, got`;
    const entry = `${name}.gz`;
    expect(await reasonOf(name, entry, bytes.subarray(0, bytes.length >> 1))).toBe(`${at} unexpected end of file`);
    expect(await reasonOf(name, entry, bytes.subarray(0, -1))).toBe(`${at} unexpected end of file`);
    expect(await reasonOf(name, entry, new Uint8Array(0))).toBe(`${at} unexpected end of file`);
    expect(await reasonOf(name, entry, flipped(bytes, 0))).toBe(`${at} incorrect header check`);
    expect(await reasonOf(name, entry, flipped(bytes, bytes.length - 8))).toBe(`${at} incorrect data check`);
    expect(await reasonOf(name, entry, flipped(bytes, bytes.length - 1))).toBe(`${at} incorrect length check`);
    expect(await reasonOf(name, entry, flipped(bytes, bytes.length >> 1, 0xff))).toMatch(at);
    expect(await reasonOf(name, entry, raw(name))).toBe(`${at} incorrect header check`);
  });

  it('does not unpack more than the file should hold', async () => {
    const name = 't10k-labels-idx1-ubyte';
    expect(await reasonOf(name, `${name}.gz`, gzipSync(new Uint8Array(100_000_000)))).toBe(
      `data: FOLDER/${name}.gz: expected a whole gzip file, got more than the 10008 bytes of ${name}`,
    );
  });

  it('refuses the test images in the place of the training images', async () => {
    const name = 'train-images-idx3-ubyte';
    expect(await reasonOf(name, `${name}.gz`, compressed('t10k-images-idx3-ubyte'))).toBe(
      `data: FOLDER/${name}.gz: expected the sizes 60000 x 28 x 28, got 10000 x 28 x 28`,
    );
  });

  it('lists the missing files, the spelling expected and what is there', async () => {
    const rule = 'expected each under its canonical name, as <name>.gz or <name>, got';
    const folder = copiedMnist('train-images-idx3-ubyte');
    rmSync(join(folder, 't10k-labels-idx1-ubyte.gz'));
    symlinkSync('x', join(folder, 'train-images.idx3-ubyte'));
    expect(await errorOf(() => loadIdxFolder(folder))).toBe(
      `data: data folder ${folder} lacks train-images-idx3-ubyte, t10k-labels-idx1-ubyte: ${rule} ` +
        't10k-images-idx3-ubyte.gz, train-images.idx3-ubyte, train-labels-idx1-ubyte.gz',
    );
    const one = copiedMnist('t10k-labels-idx1-ubyte');
    expect(await errorOf(() => loadIdxFolder(one))).toContain(
      `${one} lacks t10k-labels-idx1-ubyte: ${rule} t10k-images`,
    );
    const empty = scratchFolder();
    expect(await errorOf(() => loadIdxFolder(empty))).toBe(
      `data: data folder ${empty} lacks ${FILES.map((file) => file.name).join(', ')}: ${rule} an empty folder`,
    );
    for (let i = 0; i < 9; i++) writeFileSync(join(empty, `${i}`), '');
    expect(await errorOf(() => loadIdxFolder(empty))).toContain('got 0, 1, 2, 3, 4, 5, 6, 7 and 1 more');
  });

  it('refuses what is no folder, and what is no file', async () => {
    const folder = copiedMnist('train-labels-idx1-ubyte');
    const missing = join(folder, 'missing');
    expect(await errorOf(() => loadIdxFolder(missing))).toBe(
      `data: cannot read data folder ${missing}: no such file or directory`,
    );
    const file = join(folder, 't10k-labels-idx1-ubyte.gz');
    expect(await errorOf(() => loadIdxFolder(file))).toBe(`data: cannot read data folder ${file}: not a directory`);
    const path = join(folder, 'train-labels-idx1-ubyte');
    mkdirSync(path);
    expect(await errorOf(() => loadIdxFolder(folder))).toBe(`data: cannot read ${path}: expected a file, got a folder`);
    symlinkSync('nothing', `${path}.gz`);
    expect(await errorOf(() => loadIdxFolder(folder))).toBe(`data: cannot read ${path}.gz: no such file or directory`);
  });

  it.skipIf(process.getuid?.() !== 0)('calls a lack of rights a matter of the environment', async () => {
    const folder = copiedMnist('train-labels-idx1-ubyte');
    chmodSync(folder, 0o755);
    const path = join(folder, 'train-labels-idx1-ubyte.gz');
    writeFileSync(path, compressed('train-labels-idx1-ubyte'), { mode: 0 });
    process.seteuid?.(65_534);
    try {
      expect(await errorOf(() => loadIdxFolder(folder))).toBe(`environment: cannot read ${path}: permission denied`);
      expect(await errorOf(() => loadIdxFolder('/root'))).toBe(
        'environment: cannot read data folder /root: permission denied',
      );
    } finally {
      process.seteuid?.(0);
    }
  });
});
