// Who may lend, and how: a ticket like every change of the run, a WebSocket with it, and nothing for anybody else.
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { networkInterfaces } from 'node:os';
import { pathToFileURL } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import type { Lending } from '../../../../coordinator/http/lend-routes.ts';
import type { HttpOptions } from '../../../../coordinator/http/server.ts';
import { GanglionError } from '../../../../shared/error.ts';
import { LEND_PROTOCOL } from '../../../../shared/page-protocol.ts';
import { scratchFolder } from '../../scratch.ts';
import { writeFiles } from '../data/idx-bytes.ts';
import { exchange, requestOf, served } from './raw-http.ts';

/** Modules as the build has compiled them, and one that nobody requires. */
const MODULES = {
  'dashboards/lend/worker.js': 'require("../a.js"); require("msgpackr/pack");',
  'dashboards/a.js': 'globalThis.loaded = true;',
  'dashboards/other.js': 'not asked for',
};
const KERNELS = new URL('../../../../workers/engines/wasm/', import.meta.url);
const JSON_TYPE = { 'content-type': 'application/json' };
const outside = Object.values(networkInterfaces())
  .flat()
  .find((address) => address?.family === 'IPv4' && !address.internal)?.address;

/** A server that takes two pages. */
async function serve(options: Partial<HttpOptions> = {}) {
  const taken: WebSocket[] = [];
  const compiled = scratchFolder();
  writeFiles(compiled, MODULES);
  const lending: Lending = {
    admit(expected) {
      if (taken.length + expected >= 2) throw new GanglionError('usage', 'expected at most 2 workers in pages');
    },
    take: (socket) => taken.push(socket),
    mostBytes: 1000,
    folders: { compiled: pathToFileURL(`${compiled}/`), kernels: KERNELS },
  };
  const port = await served({ lending, ...options });
  const ask = async (headers: Record<string, string> = {}, host = '127.0.0.1', path = '/api/lend') => {
    const response = await fetch(`http://${host}:${port}${path}`, {
      method: 'POST',
      headers: { ...JSON_TYPE, ...headers },
      body: '{}',
    });
    const answer = (await response.json()) as { ticket?: string; error?: string };
    return { status: response.status, ...answer };
  };
  /** How an attempt to connect ends. */
  const connect = async (protocols: string[], headers: Record<string, string> = {}, path = '/api/lend') => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, protocols, { headers });
    const opened = once(socket, 'open').then(() => 'open');
    const refused = new Promise<string>((resolve) => {
      socket.on('unexpected-response', (_, response) => {
        response.setEncoding('utf8').on('data', (text) => resolve(`${response.statusCode} ${text}`));
      });
    });
    opened.catch(() => {});
    socket.on('error', () => {});
    return { socket, how: await Promise.race([opened, refused]) };
  };
  return { port, taken, ask, connect };
}

it('lets in who has a ticket, once', async () => {
  const { taken, ask, connect } = await serve();
  const { status, ticket = '' } = await ask();
  expect([status, ticket]).toEqual([202, expect.stringMatching(/^[0-9a-f]{32}$/)]);
  const { socket, how } = await connect([LEND_PROTOCOL, ticket]);
  expect([how, socket.protocol, taken.length]).toEqual(['open', LEND_PROTOCOL, 1]);
  expect((await connect([LEND_PROTOCOL, ticket])).how).toMatch(
    /^403 .*expected a ticket that POST \/api\/lend has given/,
  );
  const closed = once(socket, 'close');
  taken[0]?.close(4000, 'enough');
  expect((await closed).map(String)).toEqual(['4000', 'enough']);
});

it.each<[what: string, protocols: string[], headers: Record<string, string>, path: string, expected: RegExp]>([
  ['without a ticket', [LEND_PROTOCOL], {}, '/api/lend', /^403 .*expected a ticket/],
  ['with another one', [LEND_PROTOCOL, 'f'.repeat(32)], {}, '/api/lend', /^403 .*expected a ticket/],
  ['by another protocol', ['chat'], {}, '/api/lend', /^400 .*expected the subprotocol ganglion-replica-1 and a ticket/],
  ['somewhere else', [LEND_PROTOCOL, 'f'], {}, '/metrics', /^404 /],
  [
    'from the page of another site',
    [LEND_PROTOCOL, 'f'],
    { origin: 'https://evil.example' },
    '/api/lend',
    /^403 .*Origin/,
  ],
  ['by the name of another site', [LEND_PROTOCOL, 'f'], { host: 'evil.example' }, '/api/lend', /^403 .*as Host/],
])('refuses a connection %s, in one line', async (_, protocols, headers, path, expected) => {
  const { taken, ask, connect } = await serve();
  await ask(); // there is a ticket, which nobody shows
  const { how } = await connect(protocols, headers, path);
  expect(how).toMatch(expected);
  expect(how).not.toContain('\n');
  expect(taken).toEqual([]);
});

it('gives no more tickets than pages may come', async () => {
  const { ask } = await serve();
  expect([(await ask()).status, (await ask()).status]).toEqual([202, 202]);
  expect(await ask()).toEqual({ status: 409, error: 'expected at most 2 workers in pages' });
});

it('asks for the token where there is one, else for this machine', async () => {
  const { ask } = await serve({ apiToken: 'secret' });
  expect((await ask()).status).toBe(401);
  expect((await ask({ authorization: 'Bearer wrong' })).status).toBe(401);
  expect((await ask({ authorization: 'Bearer secret' })).status).toBe(202);
  const open = await serve();
  expect((await open.ask({ 'x-forwarded-for': '10.0.0.9' })).status).toBe(403);
  if (outside) expect((await open.ask({}, outside)).status).toBe(202); // an address of its own
});

it('is served under a path, too', async () => {
  const { ask, connect } = await serve({ reach: { allowedHosts: null, basePath: '/gan/' } });
  const { ticket = '' } = await ask({}, '127.0.0.1', '/gan/api/lend');
  expect((await connect([LEND_PROTOCOL, ticket], {}, '/gan/api/lend')).how).toBe('open');
});

it('serves the worker as one script that may load the kernels and nothing else', async () => {
  const { port } = await serve();
  const worker = await fetch(`http://127.0.0.1:${port}/live/lend-worker.js`);
  expect(worker.headers.get('content-security-policy')).toBe(
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'",
  );
  const script = await worker.text();
  expect(script).toContain('globalThis.loaded = true;');
  expect(script).not.toMatch(/not asked for|new Function\(/);
  const wasm = await fetch(`http://127.0.0.1:${port}/live/kernels.wasm`);
  expect(wasm.headers.get('content-type')).toBe('application/wasm');
  expect(Buffer.from(await wasm.arrayBuffer())).toEqual(readFileSync(new URL('kernels.wasm', KERNELS)));
});

it('has none of it where no pages are wanted', async () => {
  const port = await served();
  const post = await exchange(port, requestOf('POST /api/lend', 'Content-Length: 0'));
  const get = await exchange(port, requestOf('GET /live/lend-worker.js'));
  const upgrade = await exchange(port, requestOf('GET /api/lend', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13'));
  expect([post.status, get.status, upgrade.status]).toEqual([404, 404, 404]);
});

it('answers who asks for another protocol in this one', async () => {
  const { port } = await serve();
  const headers = ['Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA'];
  const request = requestOf('GET /healthz', ...headers).replace(
    'Connection: close',
    'Connection: Upgrade, HTTP2-Settings',
  );
  const { status, head, body } = await exchange(port, request);
  expect([status, JSON.parse(body)]).toEqual([200, { status: 'ok', state: 'starting' }]);
  expect(head).toContain('connection: close');
});

/** A connection that has asked for HTTP/2. @param options of the socket */
async function askForHttp2(port: number, options: { allowHalfOpen?: boolean } = {}) {
  const socket = connectTcp({ port, host: '127.0.0.1', ...options });
  const request = requestOf('GET /healthz', 'Upgrade: h2c').replace('Connection: close', 'Connection: Upgrade');
  socket.write(request);
  await once(socket, 'data');
  return socket;
}

it('survives a connection that asks for another protocol and is reset', async () => {
  const { port } = await serve();
  const thrown: unknown[] = [];
  const note = (error: unknown): void => void thrown.push(error);
  process.on('uncaughtException', note);
  onTestFinished(() => void process.off('uncaughtException', note));
  for (let i = 0; i < 20; i++) {
    (await askForHttp2(port)).resetAndDestroy();
  }
  expect((await fetch(`http://127.0.0.1:${port}/healthz`)).status).toBe(200);
  expect(thrown).toEqual([]);
});

it('ends a connection that asked for another protocol, also where the other side keeps its half', async () => {
  const { port } = await serve();
  const socket = await askForHttp2(port, { allowHalfOpen: true });
  await once(socket, 'end');
  socket.on('error', () => {}); // what is written reaches nobody any more
  const writing = setInterval(() => socket.write('x'), 20);
  await new Promise((resolve) => socket.on('close', resolve));
  clearInterval(writing);
});

it('says what is missing of the installation', async () => {
  const folders = { compiled: pathToFileURL(`${scratchFolder()}/`), kernels: KERNELS };
  const lending: Lending = { admit() {}, take() {}, mostBytes: 1, folders };
  await expect(served({ lending })).rejects.toThrow(/^cannot read .*worker\.js/);
});
