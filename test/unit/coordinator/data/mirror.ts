// A mirror on 127.0.0.1 for the tests of downloads: the real files, or whatever a handler does.
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type DownloadOptions, downloadMnist } from '../../../../coordinator/data/download.ts';
import { MNIST_FOLDER } from '../../scratch.ts';

export type Handler = (name: string, response: ServerResponse, request: IncomingMessage) => void;

export interface Mirror {
  readonly url: string;
  /** Paths asked for, in order. */
  readonly requests: string[];
}

/** Serves `/base/<name>` by `handler` until the test ends. */
export async function startMirror(handler: Handler): Promise<Mirror> {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(request.url ?? '');
    handler((request.url ?? '').replace('/base/', ''), response, request);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    return new Promise<void>((resolve) => server.close(() => resolve()));
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/base`, requests };
}

/** The real file `name`, compressed. */
export function realFile(name: string): Buffer {
  return readFileSync(join(MNIST_FOLDER, name));
}

/** Sends the real file with its length. */
export const serveReal: Handler = (name, response) => {
  const bytes = realFile(name);
  response.writeHead(200, { 'content-length': bytes.length }).end(bytes);
};

/** Downloads into `folder` and collects the notices. */
export async function download(folder: string, options: DownloadOptions) {
  const notices: string[] = [];
  const result = await downloadMnist(folder, { ...options, onNotice: (line) => notices.push(line) });
  return { ...result, notices };
}
