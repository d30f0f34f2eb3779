// Downloads where a mirror fails in each way it can, and another one helps out: coordinator/data/download.ts, fetch-bytes.ts.
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { DownloadOptions } from '../../../../coordinator/data/download.ts';
import { FILES, hasMnist, scratchFolder } from '../../scratch.ts';
import { download, type Handler, realFile, serveReal, startMirror } from './mirror.ts';

const NAMES = FILES.map((file) => `${file.name}.gz`);

/** Downloads from a mirror that behaves so, then from a good one: the notices, addresses replaced by BAD and GOOD. */
async function noticesOf(handler: Handler, options: DownloadOptions = {}): Promise<readonly string[]> {
  const [bad, good] = [await startMirror(handler), await startMirror(serveReal)];
  const folder = scratchFolder();
  const result = await download(folder, { mirrors: [bad.url, good.url], ...options });
  expect(result.downloaded).toEqual(NAMES);
  expect(readdirSync(folder).sort()).toEqual([...NAMES].sort());
  for (const name of NAMES) expect(readFileSync(join(folder, name)).equals(realFile(name))).toBe(true);
  expect(bad.requests).toEqual([`/base/${NAMES[0]}`]);
  return result.notices.map((line) => line.replace(bad.url, 'BAD').replace(good.url, 'GOOD'));
}

const failed = (reason: string): string[] => [`BAD failed for ${NAMES[0]} (${reason}); trying GOOD`];

describe.skipIf(!hasMnist)('a mirror that fails', () => {
  it('answers with an error', async () => {
    expect(await noticesOf((_, response) => response.writeHead(503).end('busy'))).toEqual(failed('HTTP 503'));
    expect(await noticesOf((_, response) => response.writeHead(404).end())).toEqual(failed('HTTP 404'));
  });

  it('has other content: one pixel, a web page, a cut file, too much', async () => {
    const content = (bytes: Uint8Array) => noticesOf((_, response) => response.writeHead(200).end(bytes));
    const pixel = gunzipSync(realFile('train-images-idx3-ubyte.gz'));
    pixel[30_000_000] = (pixel[30_000_000] ?? 0) ^ 1;
    expect((await content(gzipSync(pixel, { level: 1 })))[0]).toMatch(
      /\(its answer: expected content with SHA-256 ba891046\w{56}, got \w{64}\); trying GOOD$/,
    );
    expect(await content(Buffer.from('<!DOCTYPE html><html></html>'))).toEqual(
      failed('its answer: expected the magic number 0x00000803, got 0x3c21444f'),
    );
    expect(await content(realFile('train-images-idx3-ubyte.gz').subarray(0, 5_000_000))).toEqual(
      failed('its answer: expected a whole gzip file, got unexpected end of file'),
    );
    expect(await content(new Uint8Array(0))).toEqual(failed('its answer: expected a header of 16 bytes, got 0 bytes'));
    expect(await content(new Uint8Array(50_000_000))).toEqual(failed('an answer of more than 47040016 bytes'));
  });

  it('cuts the connection in the middle of a file, or at once', async () => {
    const cut = await noticesOf((name, response) => {
      const bytes = realFile(name);
      response.writeHead(200, { 'content-length': bytes.length });
      response.write(bytes.subarray(0, 1_000_000), () => response.destroy());
    });
    expect(cut).toEqual(failed('other side closed'));
    expect(await noticesOf((_, response) => response.destroy())).toEqual(failed('other side closed'));
  });

  it('falls silent before or within its answer', async () => {
    const options = { silenceTimeoutMs: 600 };
    expect(await noticesOf(() => undefined, options)).toEqual(failed('no data for 600 ms'));
    expect(await noticesOf((_, response) => response.writeHead(200).write('some'), options)).toEqual(
      failed('no data for 600 ms'),
    );
  });

  it('is only slow, and so is not given up', async () => {
    const slow = await startMirror((name, response, request) => {
      if (name !== NAMES[0]) return serveReal(name, response, request);
      const bytes = realFile(name);
      response.writeHead(200, { 'content-length': bytes.length });
      for (let i = 0; i < 8; i++) {
        const piece = bytes.subarray(Math.floor((i * bytes.length) / 8), Math.floor(((i + 1) * bytes.length) / 8));
        setTimeout(() => (i < 7 ? response.write(piece) : response.end(piece)), 150 * i);
      }
    });
    expect((await download(scratchFolder(), { mirrors: [slow.url], silenceTimeoutMs: 900 })).notices).toEqual([]);
  });

  it('is not there', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();
    const good = await startMirror(serveReal);
    for (const host of ['127.0.0.1', 'localhost']) {
      const { notices } = await download(scratchFolder(), { mirrors: [`http://${host}:${port}`, good.url] });
      expect(notices).toHaveLength(1);
      expect(notices[0]).toMatch(
        /^http:\/\/\S+ failed for train-images-idx3-ubyte.gz \(.*ECONNREFUSED.*\); trying http/,
      );
    }
  });

  it('is tried again when the other one fails later', async () => {
    const first = await startMirror((name, response, request) =>
      name.startsWith('train-images') ? response.writeHead(500).end() : serveReal(name, response, request),
    );
    const second = await startMirror((name, response, request) =>
      name.startsWith('t10k-labels') ? response.writeHead(500).end() : serveReal(name, response, request),
    );
    const { notices } = await download(scratchFolder(), { mirrors: [first.url, second.url] });
    expect(notices).toEqual([
      `${first.url} failed for ${NAMES[0]} (HTTP 500); trying ${second.url}`,
      `${second.url} failed for ${NAMES[3]} (HTTP 500); trying ${first.url}`,
    ]);
  });
});
