// What every answer of the coordinator has, and what it refuses, whatever the route; by raw sockets where fetch would be too polite.
import { describe, expect, it } from 'vitest';
import { exchange, requestOf, served } from './raw-http.ts';

describe('every answer', () => {
  it.each([
    ['a page', requestOf('GET /healthz'), 200],
    ['metrics', requestOf('GET /metrics'), 200],
    ['an error of a route', requestOf('POST /api/workers'), 415],
    ['nothing there', requestOf('GET /nothing'), 404],
    ['another method', requestOf('DELETE /metrics'), 405],
    ['a foreign host', 'GET /api/status HTTP/1.1\r\nHost: a.example\r\n\r\n', 403],
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
