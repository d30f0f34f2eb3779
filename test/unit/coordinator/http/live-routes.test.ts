import { mkdirSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createServer } from '../../../../coordinator/http/guards.ts';
import { addLiveRoutes, type LiveActions } from '../../../../coordinator/http/live-routes.ts';
import { listen } from '../../../../coordinator/http/server.ts';
import { GanglionError } from '../../../../shared/error.ts';
import type { LiveHistory } from '../../../../shared/live-protocol.ts';
import { scratchFolder } from '../../scratch.ts';
import { madeUpRun } from '../live/made-up-run.ts';
import { evaluatedEvent } from '../made-up-events.ts';

const PAGE = new URL('../../../../dashboards/live/', import.meta.url);

async function served(options: { actions?: LiveActions; samples?: string; page?: URL } = {}) {
  const { actions, samples, page = PAGE } = options;
  const made = madeUpRun(samples);
  const server = createServer({ allowedHosts: null, basePath: null });
  const release = addLiveRoutes(server, { run: made.run, page, actions });
  const port = await listen(server, { port: 0, host: '127.0.0.1', hint: '' });
  onTestFinished(async () => {
    await release();
    await server.close();
  });
  const url = `http://127.0.0.1:${port}`;
  const get = (path: string, init?: RequestInit) => fetch(`${url}${path}`, init);
  /** Asks for a path exactly as it is written. */
  const raw = (path: string): Promise<number> =>
    new Promise((resolve, reject) => {
      request({ host: '127.0.0.1', port, path }, (response) => resolve(response.resume().statusCode ?? 0))
        .on('error', reject)
        .end();
    });
  return { ...made, url, get, raw };
}

describe('the files of the page', () => {
  it('are served under a policy that lets them load from here only', async () => {
    const { get } = await served();
    const page = await get('/');
    expect(page.status).toBe(200);
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(page.headers.get('content-security-policy')).toMatch(/^default-src 'self';.* frame-ancestors 'none'/);
    expect(page.headers.get('x-content-type-options')).toBe('nosniff');
    const html = await page.text();
    const named = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path = '']) => path);
    expect(named).toContain('live/app.js'); // relative: a proxy may show the page under a path of its own
    const seen = new Set(named.map((path) => `/${path}`));
    for (const path of seen) {
      const file = await get(path);
      expect([path, file.status]).toEqual([path, 200]);
      if (!path.endsWith('.js')) continue;
      expect(file.headers.get('content-type')).toBe('text/javascript; charset=utf-8');
      for (const [, module] of (await file.text()).matchAll(/^import .*from '\.\/([^']+)';$/gm))
        seen.add(`/live/${module}`);
    }
    expect([...seen].filter((path) => path.endsWith('.js')).length).toBe(13);
  });

  it('are all that is served', async () => {
    const { raw } = await served();
    for (const path of [
      '/live/',
      '/live/index.html',
      '/live/uplot.d.ts',
      '/live/../package.json',
      '/live/%2e%2e/%2e%2e/package.json',
      '/live/..%2f..%2fpackage.json',
      '/live/app.js/../../../package.json',
      '//etc/passwd',
    ]) {
      expect([path, await raw(path)]).toEqual([path, 404]);
    }
  });

  it('may be missing', async () => {
    const { get } = await served({ page: pathToFileURL(`${scratchFolder()}/`) });
    expect((await get('/')).status).toBe(404);
  });
});

describe('pictures', () => {
  it('are listed and served, and nothing else of their folder or beside it', async () => {
    const run = scratchFolder();
    const samples = join(run, 'samples');
    mkdirSync(samples);
    writeFileSync(join(run, 'config.json'), '{}');
    for (const name of [
      'step-00000078.png',
      'step-00000156.png',
      'real.png',
      'epochs.gif',
      '.step-00000234.png.1a2b.tmp',
      'notes.txt',
    ]) {
      writeFileSync(join(samples, name), name);
    }
    const { get, raw, run: live } = await served({ samples });
    expect(await (await get('/api/samples')).json()).toEqual({
      session: live.session,
      steps: [78, 156],
      real: true,
      animation: true,
    });
    const picture = await get('/samples/step-00000078.png?run=1');
    expect(picture.headers.get('content-type')).toBe('image/png');
    expect(await picture.text()).toBe('step-00000078.png');
    expect((await get('/samples/real.png')).status).toBe(200);
    expect((await get('/samples/epochs.gif')).headers.get('content-type')).toBe('image/gif');
    for (const path of [
      '/samples/step-00000079.png',
      '/samples/notes.txt',
      '/samples/.step-00000234.png.1a2b.tmp',
      '/samples/../config.json',
      '/samples/..%2fconfig.json',
      '/samples/%2e%2e%2fconfig.json',
      '/samples/step-00000078.png%00',
      '/samples/',
    ]) {
      expect([path, await raw(path)]).toEqual([path, 404]);
    }
  });

  it('has the evaluations, the newest 500', async () => {
    const { get, run: live } = await served();
    expect(await (await get('/api/evaluations')).json()).toEqual([]);
    expect(live.status.evaluated).toBeNull();
    for (let step = 1; step <= 1200; step++) live.evaluated(evaluatedEvent(step).evaluation);
    const evaluations = (await (await get('/api/evaluations')).json()) as readonly unknown[];
    expect(evaluations).toHaveLength(500);
    expect(evaluations.at(-1)).toEqual(evaluatedEvent(1200).evaluation);
    expect(live.status.evaluated).toBe(1200);
  });

  it('may be missing altogether', async () => {
    const { get } = await served();
    expect(await (await get('/api/samples')).json()).toMatchObject({ steps: [], real: false, animation: false });
  });
});

describe('/api/history', () => {
  it('gives so many points of a range', async () => {
    const { get, step } = await served();
    for (let i = 1; i <= 100; i++) step(i);
    const historyAt = async (query: string) => (await (await get(`/api/history${query}`)).json()) as LiveHistory;
    const history = await historyAt('?from=11&to=20&points=4');
    expect(history.steps.length).toBeLessThanOrEqual(4);
    expect(Math.min(...history.curves.lossD.min.map(Number))).toBe(11);
    expect(Math.max(...history.curves.lossD.max.map(Number))).toBe(20);
    expect((await historyAt('')).steps).toHaveLength(100);
  });

  it.each(['points=3', 'points=2001', 'points=x', 'from=-1', 'to=1.5', 'points=1e9', 'from=a', 'points=4&points=5'])(
    'refuses %s',
    async (query) => {
      const { get } = await served();
      expect((await get(`/api/history?${query}`)).status).toBe(400);
    },
  );
});

describe('/api/events', () => {
  /** Text of a stream until it has a pattern. */
  async function textUntil(response: Response, pattern: RegExp): Promise<string> {
    const decoder = new TextDecoder();
    let text = '';
    for await (const bytes of response.body ?? []) {
      text += decoder.decode(bytes, { stream: true });
      if (pattern.test(text)) break;
    }
    return text;
  }

  it('streams events, and goes on after an id given either way', async () => {
    const { get, step, run } = await served();
    step(1);
    const response = await get('/api/events');
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    expect(await textUntil(response, /\n\n.*\n\n/s)).toContain('event: reload');
    const { cursor } = run;
    step(2);
    for (const [path, headers] of [
      ['/api/events', { 'last-event-id': cursor }],
      [`/api/events?last=${cursor}`, {}],
    ] as const) {
      const text = await textUntil(await get(path, { headers: { ...headers } }), /event: .*\n\n/s);
      expect(text).toContain('event: update');
      expect(text).toContain('"rows":[[2,2,');
    }
  });
});

it('/api/events has no HEAD, which would never end', async () => {
  const { get } = await served();
  expect((await get('/api/events', { method: 'HEAD' })).status).toBe(405);
});

describe('requests that change the run', () => {
  const post = (get: (path: string, init: RequestInit) => Promise<Response>, path: string, init: RequestInit = {}) =>
    get(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}', ...init });

  function actions(apiToken: string | null = null) {
    const done: string[] = [];
    const given: LiveActions = { apiToken, checkpoint: () => done.push('checkpoint'), stop: () => done.push('stop') };
    return { done, given };
  }

  it('are passed on from this machine', async () => {
    const { done, given } = actions();
    const { get } = await served({ actions: given });
    expect((await post(get, '/api/checkpoint')).status).toBe(202);
    expect((await post(get, '/api/stop')).status).toBe(202);
    expect(done).toEqual(['checkpoint', 'stop']);
  });

  it.each(['/api/checkpoint', '/api/stop'])('are refused as for /api/workers: %s', async (path) => {
    const { done, given } = actions('s3cret');
    const { get, url } = await served({ actions: given });
    const json = { 'content-type': 'application/json' };
    const token = { ...json, authorization: 'Bearer s3cret' };
    const statusOf = async (init: RequestInit) => (await post(get, path, init)).status;
    expect(await statusOf({})).toBe(401);
    expect(await statusOf({ headers: { ...token, origin: 'http://evil.example' } })).toBe(403);
    expect(await statusOf({ headers: { ...token, 'content-type': 'text/plain' } })).toBe(415);
    expect(await statusOf({ headers: token, body: '{"now":true}' })).toBe(400);
    expect(await statusOf({ headers: token, body: '' })).toBe(400);
    expect(await statusOf({ headers: token, body: ' '.repeat(2000) })).toBe(413);
    expect((await get(path)).status).toBe(405);
    expect(done).toEqual([]);
    expect(await statusOf({ headers: { ...token, origin: url } })).toBe(202);
    expect(done).toHaveLength(1);
  });

  it('say why the run refuses', async () => {
    const { given } = actions();
    const checkpoint = (): never => {
      throw new GanglionError('usage', 'there is no step');
    };
    const { get } = await served({ actions: { ...given, checkpoint } });
    const answer = await post(get, '/api/checkpoint');
    expect([answer.status, await answer.json()]).toEqual([409, { error: 'there is no step' }]);
  });

  it('are not there for a run shown from its files', async () => {
    const { get } = await served();
    expect((await post(get, '/api/checkpoint')).status).toBe(404);
    expect((await post(get, '/api/stop')).status).toBe(404);
  });
});
