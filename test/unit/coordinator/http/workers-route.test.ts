import { request } from 'node:http';
import { connect } from 'node:net';
import { hostname, networkInterfaces } from 'node:os';
import { json, text } from 'node:stream/consumers';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createServer } from '../../../../coordinator/http/guards.ts';
import { type HttpOptions, startHttp } from '../../../../coordinator/http/server.ts';
import { addWorkersRoute } from '../../../../coordinator/http/workers-route.ts';
import { createMetrics } from '../../../../coordinator/monitoring/metrics.ts';
import { StatusKeeper } from '../../../../coordinator/monitoring/status.ts';
import { GanglionError } from '../../../../shared/error.ts';

const JSON_TYPE = { 'content-type': 'application/json' };
const EXPECTED = '{"count": N}, N a whole number from 1 to 4';
/** An address of this machine that is not a loopback one, where it has one. */
const outside = Object.values(networkInterfaces())
  .flat()
  .find((address) => address?.family === 'IPv4' && !address.internal)?.address;

/** A server of a run of 4 shards, and what it was asked for. */
async function served(options: Partial<HttpOptions> = {}) {
  const replicas = () => [];
  const status = new StatusKeeper({
    run: 'runs/a',
    backend: 'cpu',
    step: 0,
    epoch: 0,
    steps: 9,
    batch: 10,
    table: { nodes: [], replicas: [] },
  });
  const metrics = createMetrics({ batch: 10, replicas, info: { node: 'v20' } });
  const counts: number[] = [];
  const resize = (count: number): void => void counts.push(count);
  const all = { port: 0, metrics, status: () => status.status, shards: 4, apiToken: null, resize, ...options };
  const server = await startHttp(all);
  onTestFinished(() => server.close());
  const { port } = server;

  /** Posts with exactly these headers; fetch would not let a test choose Host and Origin. */
  function post(
    body: string | undefined,
    headers: Record<string, string> = JSON_TYPE,
    address = '127.0.0.1',
  ): Promise<{ status: number; body: unknown; authenticate: string | undefined }> {
    return new Promise((resolve, reject) => {
      const outgoing = request({ host: address, port, path: '/api/workers', method: 'POST', headers }, (response) => {
        const authenticate = response.headers['www-authenticate'];
        json(response).then((answer) => {
          resolve({ status: response.statusCode ?? 0, body: answer, authenticate });
        }, reject);
      });
      outgoing.on('error', reject);
      outgoing.end(body);
    });
  }
  return { port, counts, post };
}

describe('POST /api/workers', () => {
  it('asks for so many replicas and answers at once', async () => {
    const { counts, post } = await served();
    expect(await post('{"count": 3}')).toMatchObject({ status: 202, body: { workers: 3 } });
    const utf8 = { 'content-type': 'Application/JSON; charset=utf-8' };
    expect(await post('{"count":1}', utf8)).toMatchObject({ status: 202, body: { workers: 1 } });
    expect(await post('{"count":4}')).toMatchObject({ status: 202, body: { workers: 4 } });
    expect(counts).toEqual([3, 1, 4]);
  });

  it('passes on why the run refuses', async () => {
    const { post } = await served({
      resize: () => {
        throw new GanglionError('usage', 'the run is stopping');
      },
    });
    expect(await post('{"count":3}')).toMatchObject({ status: 409, body: { error: 'the run is stopping' } });
  });

  it.each([
    ['{"count":0}', 'count: expected a whole number from 1 to 4, got 0'],
    ['{"count":5}', 'count: expected a whole number from 1 to 4, got 5'],
    ['{"count":-1}', 'count: expected a whole number from 1 to 4, got -1'],
    ['{"count":1.5}', 'count: expected a whole number from 1 to 4, got 1.5'],
    ['{"count":1e400}', 'count: expected a whole number from 1 to 4, got Infinity'],
    ['{"count":"3"}', 'count: expected a whole number from 1 to 4, got "3"'],
    ['{"count":null}', 'count: expected a whole number from 1 to 4, got null'],
    ['{"count":[3]}', 'count: expected a whole number from 1 to 4, got [3]'],
    [
      `{"count":"${'x'.repeat(500)}"}`,
      `count: expected a whole number from 1 to 4, got "${'x'.repeat(108)}…(500 characters)…${'x'.repeat(72)}"`, // shortened
    ],
    ['{"count":3,"force":true}', `body: expected ${EXPECTED}, got {"count":3,"force":true}`],
    ['{"count":3,"__proto__":{}}', `body: expected ${EXPECTED}, got {"count":3,"__proto__":{}}`],
    ['{}', `body: expected ${EXPECTED}, got {}`],
    ['[3]', `body: expected ${EXPECTED}, got [3]`],
    ['3', `body: expected ${EXPECTED}, got 3`],
    ['null', `body: expected ${EXPECTED}, got null`],
    ['{"count":\n3', `body: expected ${EXPECTED}, got "{\\"count\\":\\n3"`],
    ['', `body: expected ${EXPECTED}, got ""`],
    [undefined, `body: expected ${EXPECTED}, got ""`],
  ])('refuses the body %j', async (body, error) => {
    const { counts, post } = await served();
    expect(await post(body)).toMatchObject({ status: 400, body: { error } });
    expect(counts).toEqual([]);
  });

  it('refuses a body of more than a kibibyte', async () => {
    const { counts, post } = await served();
    const answer = { status: 413, body: { error: 'body: expected at most 1024 bytes, got more' } };
    const body = (bytes: number) => `{"count":3}${' '.repeat(bytes - 11)}`;
    expect(await post(body(1025))).toMatchObject(answer);
    expect(await post(body(1025), { ...JSON_TYPE, 'transfer-encoding': 'chunked' })).toMatchObject(answer);
    expect(counts).toEqual([]);
    expect(await post(body(1024))).toMatchObject({ status: 202 });
  });

  it.each([
    [{ 'content-type': 'text/plain' }, '"text/plain"'],
    [{ 'content-type': 'application/x-www-form-urlencoded' }, '"application/x-www-form-urlencoded"'],
    [{ 'content-type': 'text/plain; application/json' }, '"text/plain; application/json"'],
    [{}, 'nothing'],
  ])('takes only JSON, which a form on another site cannot send: %j', async (headers, got) => {
    const { counts, post } = await served();
    expect(await post('{"count":3}', headers as Record<string, string>)).toMatchObject({
      status: 415,
      body: { error: `expected content-type application/json, got ${got}` },
    });
    expect(counts).toEqual([]);
  });
});

describe('without a token', () => {
  it('answers this machine only', async () => {
    const counts: number[] = [];
    const server = createServer({ allowedHosts: null, basePath: null });
    addWorkersRoute(server, { resize: (count) => counts.push(count), shards: 4, apiToken: null });
    onTestFinished(() => server.close());
    const post = async (remoteAddress: string, headers: Record<string, string> = {}) => {
      const answer = await server.inject({
        ...{ method: 'POST', url: '/api/workers', remoteAddress, payload: '{"count":3}' },
        headers: { ...JSON_TYPE, host: 'localhost', ...headers },
      });
      return { status: answer.statusCode, error: answer.json().error };
    };
    const refused = (sender: string) => ({
      status: 403,
      error: `expected a request from this machine, got one from ${sender}; see --api-token`,
    });
    for (const address of ['203.0.113.9', '::ffff:203.0.113.9', '2001:db8::9', 'fe80::dead:beef%eth0']) {
      expect(await post(address)).toEqual(refused(address));
    }
    for (const header of ['x-forwarded-for', 'forwarded', 'via', 'x-real-ip']) {
      expect(await post('127.0.0.1', { [header]: '127.0.0.1' })).toEqual(refused('a proxy'));
    }
    expect(counts).toEqual([]);
    expect((await post('127.0.0.1')).status).toBe(202);
    expect(counts).toEqual([3]);
  });

  it.skipIf(outside === undefined)('takes an address of its own for this machine', async () => {
    const { post } = await served();
    expect(await post('{"count":3}', JSON_TYPE, outside)).toMatchObject({ status: 202 });
  });

  it('does not take a name of --allowed-hosts for this machine: it is for others, too', async () => {
    const { counts, post } = await served({ reach: { allowedHosts: 'gan.example', basePath: null } });
    expect(await post('{"count":3}', { ...JSON_TYPE, host: 'gan.example' })).toMatchObject({ status: 403 });
    expect(counts).toEqual([]);
  });

  it.each(['127.0.0.1', '127.0.0.2'])('answers %s', async (address) => {
    const { post } = await served();
    expect(await post('{"count":3}', JSON_TYPE, address)).toMatchObject({ status: 202 });
  });

  it.each([
    'localhost',
    'LOCALHOST:9464',
    '127.0.0.1',
    '[::1]:9464',
    '192.168.1.5:80',
    hostname(),
    `${hostname().toUpperCase()}:1`,
  ])('takes %s for this machine', async (host) => {
    const { post } = await served();
    expect(await post('{"count":3}', { ...JSON_TYPE, host })).toMatchObject({ status: 202 });
  });

  it.each([
    'evil.example',
    'evil.example:9464',
    '127.0.0.1.evil.example',
    'localhost.evil.example',
    'evil@127.0.0.1',
    'localhost:80:80',
    '[evil.example]',
    '2130706433',
  ])('refuses the Host %j, which a browser sends for a name that was pointed here', async (host) => {
    const { counts, post } = await served();
    expect(await post('{"count":3}', { ...JSON_TYPE, host })).toMatchObject({
      status: 403,
      body: { error: `expected this machine's name or address as Host, got ${JSON.stringify(host)}` },
    });
    expect(counts).toEqual([]);
  });
});

it('refuses a request without a Host, as HTTP/1.0 allows', async () => {
  const { port, counts } = await served();
  const socket = connect(port, '127.0.0.1');
  socket.end('POST /api/workers HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{"count":3}');
  expect(await text(socket)).toMatch(
    /^HTTP\/1\.1 403 .*expected this machine's name or address as Host, got \\"\\""}$/s,
  );
  expect(counts).toEqual([]);
});

describe('a page in a browser', () => {
  it('of this server may', async () => {
    const { port, post } = await served();
    const host = `localhost:${port}`;
    for (const origin of [`http://${host}`, `https://${host}`]) {
      expect(await post('{"count":3}', { ...JSON_TYPE, host, origin })).toMatchObject({ status: 202 });
    }
  });

  it.each([null, 's3cret'])('of another site may not (token %j)', async (apiToken) => {
    const { port, counts, post } = await served({ apiToken });
    const host = `localhost:${port}`;
    const headers = { ...JSON_TYPE, host, authorization: 'Bearer s3cret' };
    for (const origin of [
      'http://evil.example',
      'null',
      '',
      'http://localhost',
      `http://localhost:${port + 1}`,
      `http://127.0.0.1:${port}`,
      `http://${host}.evil.example`,
      `ftp://${host}`,
    ]) {
      expect(await post('{"count":3}', { ...headers, origin }), origin).toMatchObject({
        status: 403,
        body: { error: `expected no Origin but http://${host}, got ${JSON.stringify(origin)}` },
      });
    }
    expect(counts).toEqual([]);
  });

  it('is told nothing that would let it ask first', async () => {
    const { port } = await served();
    const preflight = await fetch(`http://127.0.0.1:${port}/api/workers`, { method: 'OPTIONS' });
    expect(preflight.status).toBe(405);
    expect(preflight.headers.get('access-control-allow-origin')).toBeNull();
  });
});

describe('with a token', () => {
  const withToken = (authorization: string) => ({ ...JSON_TYPE, authorization });

  it('answers who shows it, from everywhere and under any name', async () => {
    const { counts, post } = await served({ apiToken: 's3cret' });
    expect(await post('{"count":3}', withToken('Bearer s3cret'), outside)).toMatchObject({ status: 202 });
    expect(await post('{"count":2}', withToken('bearer  s3cret'))).toMatchObject({ status: 202 });
    const named = { ...withToken('Bearer s3cret'), host: 'trainer.example' };
    expect(await post('{"count":1}', named)).toMatchObject({ status: 202 });
    expect(counts).toEqual([3, 2, 1]);
  });

  it.each([
    undefined,
    '',
    'Bearer',
    'Bearer ',
    'Bearer s3cre',
    'Bearer s3crets',
    'Bearer S3CRET',
    'Bearer s3cret x',
    'Basic s3cret',
    's3cret',
  ])('refuses %j, from this machine too', async (authorization) => {
    const { counts, post } = await served({ apiToken: 's3cret' });
    const headers = authorization === undefined ? JSON_TYPE : withToken(authorization);
    expect(await post('{"count":3}', headers)).toEqual({
      status: 401,
      body: { error: 'expected the header "Authorization: Bearer TOKEN" with the run\'s --api-token' },
      authenticate: 'Bearer',
    });
    expect(counts).toEqual([]);
  });

  it('leaves what only reads open', async () => {
    const { port } = await served({ apiToken: 's3cret' });
    for (const path of ['/metrics', '/healthz', '/api/status']) {
      const response = await fetch(`http://127.0.0.1:${port}${path}`);
      expect(response.status, path).toBe(200);
      expect(await response.text()).not.toContain('s3cret');
    }
  });
});
