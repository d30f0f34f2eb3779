// What every answer of the coordinator has, and what it refuses, whatever the route; by raw sockets where fetch would be too polite.
import { connect } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startHttp } from '../../../../coordinator/http/server.ts';
import { createMetrics } from '../../../../coordinator/monitoring/metrics.ts';
import { StatusKeeper } from '../../../../coordinator/monitoring/status.ts';

async function served(): Promise<number> {
  const replicas = () => [];
  const status = new StatusKeeper({
    run: 'runs/a',
    backend: 'cpu',
    step: 0,
    epoch: 0,
    steps: 9,
    batch: 10,
    replicas,
  });
  const metrics = createMetrics({ batch: 10, replicas, info: { node: 'v20' } });
  const options = { metrics, status: () => status.status, shards: 4, apiToken: null, resize: () => {} };
  const server = await startHttp({ port: 0, ...options });
  onTestFinished(() => server.close());
  return server.port;
}

/** Sends bytes as they are; resolves with all that comes back until the server closes or says no more. */
function exchange(port: number, request: string): Promise<{ status: number; head: string; body: string }> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    let answer = '';
    socket.setTimeout(200, () => socket.end());
    socket.on('data', (data) => {
      answer += data;
    });
    socket.on('error', () => {}); // closed while this side still sends
    socket.on('close', () => {
      const [head = '', body = ''] = answer.split('\r\n\r\n', 2);
      resolve({ status: Number(head.split(' ')[1]), head: head.toLowerCase(), body });
    });
    socket.write(request);
  });
}

const requestOf = (line: string, ...headers: string[]) =>
  [`${line} HTTP/1.1`, 'Host: localhost', 'Connection: close', ...headers, '', ''].join('\r\n');

describe('every answer', () => {
  it.each([
    ['a page', requestOf('GET /healthz'), 200],
    ['metrics', requestOf('GET /metrics'), 200],
    ['an error of a route', requestOf('POST /api/workers'), 415],
    ['nothing there', requestOf('GET /nothing'), 404],
    ['another method', requestOf('DELETE /metrics'), 405],
    ['a foreign host', 'GET /healthz HTTP/1.1\r\nHost: a.example\r\n\r\n', 403],
    ['a URL that cannot be decoded', requestOf('GET /%zz'), 400],
    ['no HTTP', 'hello\r\n\r\n', 400],
    ['too long headers', requestOf('GET /healthz', `X-Long: ${'a'.repeat(9000)}`), 431],
  ])('has the security headers: %s', async (_, request, status) => {
    const answer = await exchange(await served(), request);
    expect(answer.status).toBe(status);
    for (const header of [
      "content-security-policy: default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
      'x-content-type-options: nosniff',
      'x-frame-options: deny',
      'referrer-policy: no-referrer',
      'cross-origin-resource-policy: same-origin',
      'cache-control: no-store',
    ]) {
      expect(answer.head).toContain(`\r\n${header}`);
    }
    expect(answer.head).not.toContain('\r\naccess-control-');
    expect(answer.head).not.toMatch(/\r\n(server|x-powered-by):/);
  });
});

describe('methods', () => {
  it.each(['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND'])(
    '%s is none for reading',
    async (method) => {
      const port = await served();
      for (const path of ['/metrics', '/healthz', '/api/status?x=1']) {
        const { status, head } = await exchange(port, requestOf(`${method} ${path}`));
        expect({ path, status }).toEqual({ path, status: 405 });
        expect(head).toContain('\r\nallow: get, head\r\n');
      }
      expect((await exchange(port, requestOf(`${method} /nothing`))).status).toBe(404);
    },
  );

  it('GET is none for changing', async () => {
    const { status, head } = await exchange(await served(), requestOf('GET /api/workers'));
    expect(status).toBe(405);
    expect(head).toContain('\r\nallow: post\r\n');
  });

  it('HEAD is GET without the body', async () => {
    const { status, body } = await exchange(await served(), requestOf('HEAD /healthz'));
    expect({ status, body }).toEqual({ status: 200, body: '' });
  });
});

describe('limits', () => {
  it('no body with a read, and a small one at most with anything else', async () => {
    const port = await served();
    const body = 'a'.repeat(2000);
    const withBody = (line: string, ...headers: string[]) =>
      exchange(port, requestOf(line, 'Content-Length: 2000', ...headers) + body);
    expect((await withBody('GET /metrics')).status).toBe(413);
    expect((await withBody('POST /api/workers', 'Content-Type: application/json')).status).toBe(413);
    expect((await withBody('POST /metrics', 'Content-Type: application/json')).status).toBe(413);
    const chunked = requestOf('GET /metrics', 'Transfer-Encoding: chunked');
    expect((await exchange(port, `${chunked}5\r\nhello\r\n0\r\n\r\n`)).status).toBe(413);
    expect((await exchange(port, requestOf('GET /healthz'))).status).toBe(200);
  });

  it('512 connections, and not one more', async () => {
    const port = await served();
    let closed = 0;
    const sockets = Array.from({ length: 520 }, () => {
      const socket = connect(port, '127.0.0.1').resume();
      return socket.on('error', () => {}).on('close', () => closed++);
    });
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy();
    });
    await expect.poll(() => closed, { timeout: 10_000 }).toBe(8);
    for (const socket of sockets) socket.destroy();
    await expect.poll(async () => (await exchange(port, requestOf('GET /healthz'))).status).toBe(200);
  });

  it('paths lead out of nothing', async () => {
    const port = await served();
    for (const path of [
      '/../package.json',
      '/%2e%2e/%2e%2e/etc/passwd',
      '/..%2f..%2fetc/passwd',
      '//etc/passwd',
      '/.',
    ]) {
      const { status } = await exchange(port, requestOf(`GET ${path}`));
      expect({ path, status }).toEqual({ path, status: 404 });
    }
  });
});

describe('the host of a read from this machine', () => {
  it.each(['localhost', 'LOCALHOST:9464', '127.0.0.1:9464', '[::1]:9464', '192.168.1.7'])('may be %s', async (host) => {
    const port = await served();
    expect((await exchange(port, `GET /metrics HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)).status).toBe(
      200,
    );
  });

  it('may be missing, as no browser leaves it out', async () => {
    expect((await exchange(await served(), 'GET /healthz HTTP/1.0\r\n\r\n')).status).toBe(200);
  });

  it.each(['a.example', 'localhost.a.example', 'a.example:9464', '127.0.0.1.a.example', ''])(
    'may not be %j, which a foreign name server could point here',
    async (host) => {
      const port = await served();
      for (const path of ['/metrics', '/api/status', '/nothing']) {
        const { status, body } = await exchange(
          port,
          `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
        );
        expect({ path, status }).toEqual({ path, status: 403 });
        expect(JSON.parse(body).error).toMatch(/^expected this machine's name or address as Host, got "/);
      }
    },
  );
});
