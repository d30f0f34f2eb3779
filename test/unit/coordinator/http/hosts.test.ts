// Which Host and Origin are served, from whom, and under which path.
import { hostname, networkInterfaces } from 'node:os';
import { describe, expect, it } from 'vitest';
import type { Reach } from '../../../../coordinator/http/guards.ts';
import { hostNameOf, isAllowedHost, isOwnAddress } from '../../../../coordinator/http/hosts.ts';
import { exchange, served } from './raw-http.ts';

const OWN = Object.values(networkInterfaces())
  .flat()
  .flatMap((own) => own ?? []);
/** An address of this machine that is not a loopback one, where it has one. */
const lan = OWN.find(({ family, internal }) => family === 'IPv4' && !internal)?.address;
const reach = (allowedHosts: string | null, basePath: string | null = null): { reach: Reach } => ({
  reach: { allowedHosts, basePath },
});

const get = (port: number, host: string, path = '/api/status', address = '127.0.0.1') =>
  exchange(port, `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`, address);

describe('an address is own', () => {
  it.each(['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1'])('%s', (address) => {
    expect(isOwnAddress(address)).toBe(true);
  });

  it('when an interface of this machine has it, as IPv6 and with a zone, too', () => {
    for (const { address, family } of OWN) {
      expect([address, isOwnAddress(address)]).toEqual([address, true]);
      const otherwise = family === 'IPv4' ? `::FFFF:${address}` : `${address}%eth0`;
      expect([otherwise, isOwnAddress(otherwise)]).toEqual([otherwise, true]);
    }
  });

  it.each(['203.0.113.9', '::ffff:203.0.113.9', 'fe80::dead:beef%eth0', '2001:db8::1', 'localhost', ''])(
    'but not %j',
    (address) => {
      expect(isOwnAddress(address)).toBe(false);
    },
  );
});

it.each([
  ['Localhost:9464', 'localhost'],
  ['localhost.', 'localhost'],
  ['localhost:', 'localhost'],
  ['[::1]:80', '::1'],
  ['[fe80::1%25eth0]', 'fe80::1'],
  ['[evil.example]', undefined],
  ['::1', undefined],
  ['a@localhost', undefined],
  ['localhost:80:80', undefined],
  ['localhost:x', undefined],
  ['localhost/evil.example', undefined],
  ['a b', undefined],
  ['', undefined],
])('the name in the Host %j is %j', (host, name) => {
  expect(hostNameOf(host)).toBe(name);
});

it.each([
  ['gan.example.org', 'GAN.example.org:443', true],
  ['gan.example.org', 'gan.example.org.', true],
  ['gan.example.org', 'a.gan.example.org', false],
  ['gan.example.org', 'gan.example.org.evil.example', false],
  ['.example.org', 'example.org', true],
  ['.example.org', 'a.b.example.org', true],
  ['.example.org', 'evilexample.org', false],
  ['a.example, B.example.', 'b.example', true],
  ['münchen.example', 'xn--mnchen-3ya.example', true],
  [null, 'gan.example.org', false],
  ['gan.example.org', '', false],
])('--allowed-hosts %j and the Host %j: %j', (allowed, host, expected) => {
  expect(isAllowedHost(host, allowed)).toBe(expected);
});

describe('the Host of a read', () => {
  it.each([
    'localhost',
    'LOCALHOST:9464',
    'localhost.',
    '127.0.0.1:9464',
    '[::1]:9464',
    '192.168.1.7',
    hostname(),
    hostname().split('.', 1)[0] ?? '',
    'gan.example.org',
  ])('may be %s', async (host) => {
    const port = await served(reach('gan.example.org'));
    expect((await get(port, host)).status).toBe(200);
  });

  it('may be missing, as no browser leaves it out', async () => {
    expect((await exchange(await served(), 'GET /api/status HTTP/1.0\r\n\r\n')).status).toBe(200);
  });

  it.each([
    'a.example',
    'localhost.a.example',
    `${hostname()}.a.example`,
    'a.example:9464',
    '127.0.0.1.a.example',
    '2130706433',
    'a@localhost',
    '',
  ])('may not be %j, which a foreign name server could point here, whoever sends', async (host) => {
    const port = await served(reach('gan.example.org'));
    for (const address of ['127.0.0.1', lan ?? '127.0.0.1']) {
      for (const path of ['/api/status', '/', '/nothing']) {
        const { status, body } = await get(port, host, path, address);
        expect({ path, status }).toEqual({ path, status: 403 });
        expect(JSON.parse(body).error).toBe(
          `expected this machine's name or address as Host, got ${JSON.stringify(host)}; see --allowed-hosts`,
        );
      }
    }
  });

  it.each(['trainer:9464', 'a.example', ''])('may be %j for a scraper and a probe', async (host) => {
    const port = await served();
    for (const path of ['/metrics', '/healthz']) expect((await get(port, host, path)).status).toBe(200);
  });

  it('may be there once, and the target of the request counts for more', async () => {
    const port = await served();
    const twice = 'GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: a.example\r\nConnection: close\r\n\r\n';
    expect((await exchange(port, twice)).status).toBe(400);
    expect((await get(port, 'localhost', 'http://a.example/api/status')).status).toBe(403);
    expect((await get(port, 'a.example', 'http://localhost/api/status')).status).toBe(200);
  });
});

describe('the Origin of a read', () => {
  const from = async (origin: string) => {
    const port = await served(reach('gan.example.org'));
    const lines = ['GET /api/status HTTP/1.1', `Host: localhost:${port}`, `Origin: ${origin}`, 'Connection: close'];
    return (await exchange(port, `${lines.join('\r\n')}\r\n\r\n`.replaceAll('PORT', String(port)))).status;
  };

  it.each([
    ['http://localhost:PORT', 200],
    ['https://gan.example.org', 200],
    ['http://a.example', 403],
    ['http://localhost', 403],
    ['null', 403],
  ])('%s: %d', async (origin, status) => {
    expect(await from(origin)).toBe(status);
  });
});

describe('--base-path', () => {
  it.each(['/user/ann/gan', '/user/ann/gan/'])('%s is taken away, where a proxy has not', async (basePath) => {
    const port = await served(reach(null, basePath));
    for (const path of ['/user/ann/gan/api/status?x=1', '/api/status', '/user/ann/gan/metrics', '/healthz']) {
      expect([path, (await get(port, 'localhost', path)).status]).toEqual([path, 200]);
    }
    for (const path of ['/user/ann/ganx/api/status', '/user/ann/api/status', '/user/ann/gan/user/ann/gan/healthz']) {
      expect([path, (await get(port, 'localhost', path)).status]).toEqual([path, 404]);
    }
    const { status, head } = await get(port, 'localhost', '/user/ann/gan');
    expect([status, /\r\nlocation: (\S+)/.exec(head)?.[1]]).toEqual([308, '/user/ann/gan/']);
  });

  it('may be one that is served', async () => {
    const port = await served(reach(null, '/metrics'));
    expect((await get(port, 'localhost', '/metrics')).status).toBe(200);
    expect((await get(port, 'localhost', '/metrics/api/status')).status).toBe(200);
  });
});
