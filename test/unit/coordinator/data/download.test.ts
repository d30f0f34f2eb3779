// Downloads of the real files from mirrors on 127.0.0.1, and what stops them.
import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { type DownloadOptions, downloadMnist, MNIST_MIRRORS } from '../../../../coordinator/data/download.ts';
import { loadIdxFolder } from '../../../../coordinator/data/idx-folder.ts';
import { canMount, copiedMnist, errorOf, FILES, hasMnist, scratchFolder, smallFileSystem } from '../../scratch.ts';
import { download, type Handler, realFile, serveReal, startMirror } from './mirror.ts';

const NAMES = FILES.map((file) => `${file.name}.gz`);
const FULL = 'edc0d1098aa497be14ace79ddd5171e5a3dcf9c4d196c015389203eb3ba1f59b';

describe.skipIf(!hasMnist)('downloadMnist', () => {
  it('creates the folder, fetches the four files with progress, and the loader takes them', async () => {
    const mirror = await startMirror(serveReal);
    const folder = join(scratchFolder(), 'a', 'b');
    const progress: Record<string, number[]> = {};
    const totals = new Set<string>();
    const result = await download(folder, {
      mirrors: [`${mirror.url}//`],
      onProgress: ({ file, receivedBytes, totalBytes }) => {
        totals.add(`${file} ${totalBytes}`);
        progress[file] = [...(progress[file] ?? []), receivedBytes];
      },
    });
    expect(result).toEqual({ downloaded: NAMES, kept: [], notices: [] });
    expect(mirror.requests).toEqual(NAMES.map((name) => `/base/${name}`));
    expect([...totals]).toEqual(NAMES.map((name) => `${name} ${realFile(name).length}`));
    for (const name of NAMES) {
      expect(readFileSync(join(folder, name)).equals(realFile(name))).toBe(true);
      const received = progress[name] ?? [];
      expect(received).toEqual([...received].sort((a, b) => a - b));
      expect(received.at(-1)).toBe(realFile(name).length);
    }
    expect(loadIdxFolder(folder).sha256).toBe(FULL);
  });

  it('has two mirrors over https by default', () => {
    expect(MNIST_MIRRORS.map((mirror) => new URL(mirror).protocol)).toEqual(['https:', 'https:']);
  });

  it('keeps files that are right, compressed or plain, and asks for nothing', async () => {
    const folder = copiedMnist('t10k-labels-idx1-ubyte');
    writeFileSync(join(folder, 't10k-labels-idx1-ubyte'), gunzipSync(realFile('t10k-labels-idx1-ubyte.gz')));
    const mirror = await startMirror(serveReal);
    expect(await download(`${folder}/`, { mirrors: [mirror.url] })).toEqual({
      downloaded: [],
      kept: [...NAMES.slice(0, 3), 't10k-labels-idx1-ubyte'],
      notices: [],
    });
    expect(mirror.requests).toEqual([]);
  });

  it('replaces a damaged file only, and says so', async () => {
    const folder = copiedMnist('train-labels-idx1-ubyte');
    const path = join(folder, 'train-labels-idx1-ubyte.gz');
    writeFileSync(path, realFile('train-labels-idx1-ubyte.gz').subarray(0, -5));
    const mirror = await startMirror(serveReal);
    expect(await download(folder, { mirrors: [mirror.url] })).toEqual({
      downloaded: ['train-labels-idx1-ubyte.gz'],
      kept: NAMES.filter((name) => name !== 'train-labels-idx1-ubyte.gz'),
      notices: [`${path}: expected a whole gzip file, got unexpected end of file; downloading it again`],
    });
    expect(mirror.requests).toEqual(['/base/train-labels-idx1-ubyte.gz']);
    expect(loadIdxFolder(folder).sha256).toBe(FULL);
  });

  it('makes a damaged plain file harmless', async () => {
    const folder = copiedMnist('t10k-labels-idx1-ubyte');
    writeFileSync(join(folder, 't10k-labels-idx1-ubyte'), 'short');
    const mirror = await startMirror(serveReal);
    expect((await download(folder, { mirrors: [mirror.url] })).downloaded).toEqual(['t10k-labels-idx1-ubyte.gz']);
    expect(loadIdxFolder(folder).sha256).toBe(FULL);
  });

  it('packs the raw content of a mirror that labels the file as content-encoding gzip', async () => {
    const mirror = await startMirror((name, response) => {
      const bytes = realFile(name);
      response.writeHead(200, { 'content-encoding': 'gzip', 'content-length': bytes.length }).end(bytes);
    });
    const folder = scratchFolder();
    const totals = new Set<number | undefined>();
    await download(folder, { mirrors: [mirror.url], onProgress: ({ totalBytes }) => totals.add(totalBytes) });
    expect([...totals]).toEqual([undefined]);
    expect(readdirSync(folder).sort()).toEqual([...NAMES].sort());
    expect(loadIdxFolder(folder).sha256).toBe(FULL);
  });
});

describe.skipIf(!hasMnist)('a download that cannot succeed', () => {
  it('names the mirrors tried and the last reason, and leaves only whole files', async () => {
    const serveFirst: Handler = (name, response, request) => {
      if (name === NAMES[0]) return serveReal(name, response, request);
      response.writeHead(200, { 'content-length': 1_000_000 });
      response.write(realFile(name).subarray(0, 1000), () => response.destroy());
    };
    const [one, two] = [
      await startMirror(serveFirst),
      await startMirror((_, response) => response.writeHead(410).end()),
    ];
    const folder = scratchFolder();
    expect(await errorOf(() => downloadMnist(folder, { mirrors: [one.url, two.url] }))).toBe(
      `environment: cannot download ${NAMES[1]}: tried ${one.url}, ${two.url}; last reason: HTTP 410` +
        ' (is there a proxy? set HTTPS_PROXY); ' +
        `by hand, fetch ${NAMES.slice(1).join(', ')} from ${one.url}/ into ${folder}`,
    );
    expect(readdirSync(folder)).toEqual([NAMES[0]]);
    expect(readFileSync(join(folder, NAMES[0] ?? '')).equals(realFile(NAMES[0] ?? ''))).toBe(true);
  });

  it.skipIf(!canMount)('says that the disk is full, asks no other mirror and leaves no half file', async () => {
    const folder = smallFileSystem(4096);
    const [one, two] = [await startMirror(serveReal), await startMirror(serveReal)];
    expect(await errorOf(() => downloadMnist(folder, { mirrors: [one.url, two.url] }))).toBe(
      `environment: cannot write ${join(folder, NAMES[0] ?? '')}: no space left on device`,
    );
    expect(readdirSync(folder)).toEqual([]);
    expect(two.requests).toEqual([]);
  });

  it.skipIf(process.getuid?.() !== 0)('does not take a file that it may not read for a damaged one', async () => {
    const folder = copiedMnist('train-images-idx3-ubyte');
    chmodSync(folder, 0o755);
    const path = join(folder, NAMES[0] ?? '');
    writeFileSync(path, realFile(NAMES[0] ?? ''), { mode: 0 });
    const mirror = await startMirror(serveReal);
    process.seteuid?.(65_534);
    try {
      expect(await errorOf(() => downloadMnist(folder, { mirrors: [mirror.url] }))).toBe(
        `environment: cannot read ${path}: permission denied`,
      );
    } finally {
      process.seteuid?.(0);
    }
    expect(mirror.requests).toEqual([]);
  });

  it('refuses a folder that cannot be made', async () => {
    const file = join(scratchFolder(), 'file');
    writeFileSync(file, '');
    expect(await errorOf(() => downloadMnist(file))).toBe(
      `environment: cannot create data folder ${file}: not a directory`,
    );
  });

  it('refuses wrong mirrors before it makes the folder', async () => {
    const folder = join(scratchFolder(), 'new');
    const reason = (mirrors: string[]) => errorOf(() => downloadMnist(folder, { mirrors }));
    expect(await reason([])).toBe('data: mirrors: expected at least one base URL, got none');
    expect(await reason(['http://ok', 'ftp://x'])).toBe('data: mirror: expected an http or https URL, got ftp://x');
    expect(await reason(['example.org'])).toBe('data: mirror: expected an http or https URL, got example.org');
    expect(existsSync(folder)).toBe(false);
  });

  it('lets a bug in a callback through as it is', async () => {
    const good = await startMirror(serveReal);
    const bug = new RangeError('bug');
    const options: DownloadOptions = {
      mirrors: [good.url],
      onProgress: () => {
        throw bug;
      },
    };
    await expect(downloadMnist(scratchFolder(), options)).rejects.toBe(bug);
  });

  it('takes for Fashion-MNIST its own files alone', async () => {
    const folder = scratchFolder();
    const mirror = await startMirror(serveReal);
    const reason = await errorOf(() => downloadMnist(folder, { set: 'fashion-mnist', mirrors: [mirror.url] }));
    expect(reason).toMatch(
      /^environment: cannot download train-images-idx3-ubyte\.gz: .* expected content with MD5 8d4fb7e6c68d591d4c3dfef9ec88bf0d, got [0-9a-f]{32}/,
    );
    expect(readdirSync(folder)).toEqual([]);
  });
});
