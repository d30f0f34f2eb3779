import { createServer } from 'node:net';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { startHttp } from '../../../../coordinator/http/server.ts';
import { createMetrics } from '../../../../coordinator/monitoring/metrics.ts';
import { StatusKeeper } from '../../../../coordinator/monitoring/status.ts';
import { errorOf } from '../../scratch.ts';
import { stepEvent } from '../made-up-events.ts';
import { madeUpRecord } from '../made-up-record.ts';

async function served() {
  const clock = { ms: 0 };
  const replicas = () => [];
  const status = new StatusKeeper(
    { run: 'runs/a', backend: 'cpu', step: 0, epoch: 0, steps: 9, batch: 10, table: { nodes: [], replicas: [] } },
    () => clock.ms,
  );
  const metrics = createMetrics({ batch: 10, replicas, info: { node: 'v20' } });
  const options = { metrics, status: () => status.status, shards: 4, apiToken: null, resize: undefined };
  const server = await startHttp({ port: 0, ...options });
  onTestFinished(() => server.close());
  const get = (path: string, method = 'GET') => fetch(`http://127.0.0.1:${server.port}${path}`, { method });
  return { clock, status, metrics, options, server, get };
}

describe('startHttp', () => {
  it('gives /metrics as Prometheus asks for it', async () => {
    const { metrics, get } = await served();
    metrics.observe(stepEvent(madeUpRecord(7)));
    const response = await get('/metrics');
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(await response.text()).toMatch(/^# HELP ganglion_step .+\n# TYPE ganglion_step gauge\nganglion_step 7$/m);
  });

  it('gives OpenMetrics to those who ask for it', async () => {
    const { metrics, server } = await served();
    metrics.observe(stepEvent(madeUpRecord(7)));
    const headers = { accept: 'application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1' };
    const response = await fetch(`http://127.0.0.1:${server.port}/metrics`, { headers });
    expect(response.headers.get('content-type')).toBe('application/openmetrics-text; version=1.0.0; charset=utf-8');
    expect(response.headers.get('vary')).toBe('accept');
    expect(await response.text()).toMatch(/^# TYPE ganglion_steps counter\nganglion_steps_total 1\n[\s\S]+\n# EOF\n$/m);
  });

  it('writes the metrics once for all who ask within a quarter of a second, in both formats', async () => {
    const { metrics, server } = await served();
    const scrape = async (accept: string) => {
      const response = await fetch(`http://127.0.0.1:${server.port}/metrics`, { headers: { accept } });
      return Number(/^ganglion_steps_total (\d+)$/m.exec(await response.text())?.[1]);
    };
    const now = vi.spyOn(performance, 'now').mockReturnValue(1000);
    onTestFinished(() => now.mockRestore());
    expect(await scrape('text/plain')).toBe(0);
    metrics.observe(stepEvent(madeUpRecord(7)));
    expect(await Promise.all(['text/plain', 'application/openmetrics-text'].map(scrape))).toEqual([0, 0]);
    now.mockReturnValue(1250);
    expect(await Promise.all(['text/plain', 'application/openmetrics-text'].map(scrape))).toEqual([1, 1]);
  });

  it('answers /healthz with 200, and with 503 when training stalls', async () => {
    const { clock, status, get } = await served();
    const starting = await get('/healthz');
    expect(starting.status).toBe(200);
    expect(await starting.json()).toEqual({ status: 'ok', state: 'starting' });
    status.observe({ kind: 'training' });
    expect((await get('/healthz')).status).toBe(200);
    clock.ms = 60_000;
    const stalled = await get('/healthz');
    expect(stalled.status).toBe(503);
    expect(await stalled.json()).toEqual({ status: 'stalled', state: 'training' });
  });

  it('gives /api/status as JSON', async () => {
    const { status, get } = await served();
    status.observe({ kind: 'training' });
    status.observe(stepEvent(madeUpRecord(7, 1)));
    const response = await get('/api/status');
    expect(response.headers.get('content-type')).toMatch(/^application\/json/);
    expect(await response.json()).toEqual(status.status);
  });

  it('has nothing else, and takes nothing', async () => {
    const { get } = await served();
    expect((await get('/')).status).toBe(404);
    expect((await get('/api')).status).toBe(404);
    expect((await get('/api/status', 'POST')).status).toBe(405);
    expect((await get('/api/workers', 'POST')).status).toBe(404); // as no action was given
  });

  it('listens on IPv6 too where the machine has it', async () => {
    const { server } = await served();
    const has6 = await new Promise<boolean>((resolve) => {
      const probe = createServer();
      probe.on('error', () => resolve(false));
      probe.listen(0, '::1', () => probe.close(() => resolve(true)));
    });
    if (has6) expect((await fetch(`http://[::1]:${server.port}/healthz`)).status).toBe(200);
  });

  it('says that a port is taken, and which', async () => {
    const { server, options } = await served();
    expect(await errorOf(() => startHttp({ ...options, port: server.port }))).toBe(
      `environment: cannot listen on port ${server.port}: it is in use; choose another with --metrics-port N, or --metrics-port off`,
    );
  });

  it('frees the port when closed, also with a connection open', async () => {
    const { server, options, get } = await served();
    await (await get('/healthz')).text(); // fetch keeps the connection
    await server.close();
    await expect(get('/healthz')).rejects.toThrow();
    const again = await startHttp({ ...options, port: server.port });
    expect(again.port).toBe(server.port);
    await again.close();
  });
});
