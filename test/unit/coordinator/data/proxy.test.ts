// Downloads through a real proxy: coordinator/data/proxy.ts, fetch-bytes.ts.
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { type FetchOptions, fetchBytes } from '../../../../coordinator/data/fetch-bytes.ts';
import { proxyOf } from '../../../../coordinator/data/proxy.ts';
import { errorOf, scratchFolder } from '../../scratch.ts';
import { startMirror } from './mirror.ts';

const VARIABLES = ['HTTPS_PROXY', 'HTTP_PROXY', 'ALL_PROXY', 'NO_PROXY'];
const OPTIONS: FetchOptions = { silenceTimeoutMs: 5000, maxBytes: 1000, onReceived: () => {} };

beforeEach(() => {
  for (const name of VARIABLES) for (const either of [name, name.toLowerCase()]) vi.stubEnv(either, undefined);
});
afterEach(() => {
  vi.unstubAllEnvs();
});

/** A proxy on 127.0.0.1 that knows where `mirror.test` is. @param port of that server */
async function startProxy(port: number) {
  const asked: string[] = [];
  const server = createServer((incoming, outgoing) => {
    asked.push(`${incoming.method} ${incoming.url} ${incoming.headers['proxy-authorization'] ?? ''}`.trim());
    const { pathname } = new URL(incoming.url ?? '');
    request({ port, path: pathname }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(outgoing);
    }).end();
  });
  server.on('connect', ({ url = '', headers }, socket) => {
    asked.push(`CONNECT ${url} ${headers['proxy-authorization'] ?? ''}`.trim());
    const through = connect(port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      socket.pipe(through).pipe(socket);
    });
    through.on('error', () => socket.destroy());
    socket.on('error', () => through.destroy());
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

async function served() {
  const mirror = await startMirror((name, response) => response.end(`content of ${name}`));
  return startProxy(Number(new URL(mirror.url).port));
}

const fetchText = async (url: string) => String(await fetchBytes(url, OPTIONS));

describe('a download in plain HTTP', () => {
  it.each(['HTTP_PROXY', 'http_proxy', 'ALL_PROXY', 'all_proxy'])('asks the proxy of %s', async (variable) => {
    const { address, asked } = await served();
    vi.stubEnv(variable, `http://${address}`);
    expect(await fetchText('http://mirror.test/base/a')).toBe('content of a');
    expect(asked).toEqual(['GET http://mirror.test/base/a']);
  });

  it('takes an address without a scheme, and shows the proxy a name and a password', async () => {
    const { address, asked } = await served();
    vi.stubEnv('HTTP_PROXY', `ann:p%40ss@${address}`);
    expect(await fetchText('http://mirror.test/base/a')).toBe('content of a');
    expect(asked).toEqual([`GET http://mirror.test/base/a Basic ${Buffer.from('ann:p@ss').toString('base64')}`]);
  });

  it.each(['127.0.0.1', 'mirror.test, 127.0.0.1', '*'])('does without where NO_PROXY is %s', async (excepted) => {
    const { address, asked } = await served();
    const mirror = await startMirror((_, response) => response.end('direct'));
    vi.stubEnv('HTTP_PROXY', `http://${address}`);
    vi.stubEnv('NO_PROXY', excepted);
    expect(await fetchText(`${mirror.url}/a`)).toBe('direct');
    expect(asked).toEqual([]);
  });

  it('says whose proxy does not answer', async () => {
    vi.stubEnv('http_proxy', 'http://127.0.0.1:9');
    expect(await errorOf(() => fetchText('http://mirror.test/base/a'))).toMatch(
      /^environment: .*ECONNREFUSED.*; the proxy is that of http_proxy$/,
    );
  });
});

describe('a download by HTTPS', () => {
  it.each(['HTTPS_PROXY', 'https_proxy', 'ALL_PROXY'])('opens a tunnel through the proxy of %s', async (variable) => {
    const folder = scratchFolder();
    const [keyFile, certFile] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    const names = ['-subj', '/CN=mirror.test', '-addext', 'subjectAltName=DNS:mirror.test'];
    const files = ['-keyout', keyFile, '-out', certFile];
    execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', ...names, ...files], {
      stdio: 'ignore',
    });
    const tls = createTlsServer({ key: readFileSync(keyFile), cert: readFileSync(certFile) }, (_, response) =>
      response.end('secret'),
    );
    await once(tls.listen(0, '127.0.0.1'), 'listening');
    onTestFinished(() => {
      tls.closeAllConnections();
      tls.close();
    });
    const { address, asked } = await startProxy((tls.address() as AddressInfo).port);
    vi.stubEnv(variable, `http://${address}`);
    vi.stubEnv('HTTP_PROXY', 'http://127.0.0.1:9'); // for others
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
    expect(await fetchText('https://mirror.test/base/a')).toBe('secret');
    expect(asked).toEqual(['CONNECT mirror.test:443']);
  });

  it('says what the proxy refuses', async () => {
    const proxy = createServer().on('connect', (_, socket) => socket.end('HTTP/1.1 407 No\r\n\r\n'));
    await once(proxy.listen(0, '127.0.0.1'), 'listening');
    onTestFinished(() => void proxy.close());
    vi.stubEnv('HTTPS_PROXY', `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`);
    expect(await errorOf(() => fetchText('https://mirror.test/a'))).toMatch(
      /^environment: .*407.*; the proxy is that of HTTPS_PROXY$/,
    );
  });
});

describe('proxyOf', () => {
  it('prefers small letters, and the scheme to ALL_PROXY; an empty one is none', () => {
    const env = { https_proxy: 'http://a', HTTPS_PROXY: 'http://b', ALL_PROXY: 'http://c' };
    expect(proxyOf('https://x', env)).toEqual({ variable: 'https_proxy', url: 'http://a' });
    expect(proxyOf('http://x', env)).toEqual({ variable: 'ALL_PROXY', url: 'http://c' });
    expect(proxyOf('https://x', { ...env, https_proxy: '' })).toBeUndefined();
    expect(proxyOf('https://x', { HTTP_PROXY: 'http://a' })).toBeUndefined();
  });

  it.each([
    ['ftp://proxy', '"ftp://proxy"'],
    ['http://', '"http://"'],
    ['http://ann:secret@:80', '"http://...@:80"'],
    ['a b', '"a b"'],
    ['\u001b[2J', '"\\u001b[2J"'],
    ['x'.repeat(500).replace('x', '/ '), `"/ ${'x'.repeat(78)}"`],
  ])('refuses %j without its password', async (given, shown) => {
    expect(await errorOf(() => proxyOf('https://x', { HTTPS_PROXY: given }))).toBe(
      `usage: HTTPS_PROXY: expected a proxy such as http://proxy.example:3128, got ${shown}`,
    );
  });
});
