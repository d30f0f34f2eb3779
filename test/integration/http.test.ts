// What a run tells over HTTP while it trains. monitoring.test.ts has the real Prometheus read it.
import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { PASSES } from '../../shared/model/layout.ts';
import { phaseVectorOf } from '../../shared/model/phase-vector.ts';
import { dcgan28 } from '../../shared/model/spec.ts';
import { type Running, reached, scratchFolder, startGanglion } from './ganglion.ts';
import { PROMTOOL, withoutPrometheus } from './prometheus.ts';

const scratch = scratchFolder('http');

let run: Running;
let url: string;

beforeAll(async () => {
  const args = ['--batch', '16', '--workers', '2', '--steps', '100000', '--checkpoint-every', '5', '--seed', '7'];
  run = startGanglion(['train', ...args, '--metrics-port', '0', '--run', scratch('run')]);
  const [, port] = await run.said(/^metrics: http:\/\/localhost:(\d+)\/metrics$/m);
  url = `http://127.0.0.1:${port}`;
  await reached(run, scratch('run'), 11); // the checkpoint of step 5 is written before that of step 10 is begun
});

afterAll(async () => {
  run.child.kill('SIGTERM');
  const { exitCode, stderr } = await run.ended;
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
});

async function get(path: string): Promise<{ status: number; type: string; text: string }> {
  const response = await fetch(`${url}${path}`);
  return { status: response.status, type: response.headers.get('content-type') ?? '', text: await response.text() };
}

/** Values of a metric by its labels. */
function valuesOf(text: string, name: string): Record<string, number> {
  const lines = text.split('\n').filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
  return Object.fromEntries(
    lines.map((line) => {
      const at = line.lastIndexOf(' ');
      return [line.slice(name.length, at), Number(line.slice(at + 1))];
    }),
  );
}

it('/metrics has every metric, with values that make sense', async () => {
  const { status, type, text } = await get('/metrics');
  expect(status).toBe(200);
  expect(type).toMatch(/^text\/plain; version=0\.0\.4/);
  const of = (name: string) => valuesOf(text, `ganglion_${name}`);

  const steps = of('steps_total')[''] ?? 0;
  expect(steps).toBeGreaterThanOrEqual(11);
  expect(of('images_total')).toEqual({ '': steps * 16 });
  expect(of('step')).toEqual({ '': steps });
  expect(of('epoch')).toEqual({ '': expect.any(Number) });
  for (const [name, labels] of [
    ['loss', ['{net="discriminator"}', '{net="generator"}']],
    ['gradient_norm', ['{net="discriminator"}', '{net="generator"}']],
    ['discriminator_output', ['{images="real"}', '{images="fake"}']],
  ] as const) {
    expect(Object.keys(of(name)).sort(), name).toEqual([...labels].sort());
    for (const value of Object.values(of(name))) expect(value, name).toBeGreaterThan(0);
  }
  for (const value of Object.values(of('discriminator_output'))) expect(value).toBeLessThanOrEqual(1);

  expect(of('step_duration_seconds_count')).toEqual({ '': steps });
  expect(of('step_duration_seconds_sum')['']).toBeGreaterThan(0);
  for (const phase of ['discriminator', 'generator'] as const) {
    const passes = PASSES[phase].length;
    const counts = of('phase_duration_seconds_count');
    for (const part of ['total', 'sum', 'adam']) {
      expect(counts[`{phase="${phase}",part="${part}"}`], part).toBe(steps);
    }
    for (const part of ['prepare', 'compute', 'copy']) {
      expect(counts[`{phase="${phase}",part="${part}"}`], part).toBe(steps * passes * 4);
    }
    const bytes = steps * passes * 4 * phaseVectorOf(phase, dcgan28(100)).length * Float32Array.BYTES_PER_ELEMENT;
    expect(of('gradient_bytes_total')[`{phase="${phase}"}`]).toBe(bytes);
  }

  const states = of('replicas');
  expect(Object.keys(states)).toHaveLength(6);
  expect((states['{state="busy"}'] ?? 0) + (states['{state="idle"}'] ?? 0)).toBe(2);
  expect(of('workers')).toEqual({ '': 2 });
  expect(of('replica_restarts_total')).toEqual({ '{replica="0"}': 0, '{replica="1"}': 0 });
  const shards = Object.values(of('replica_shards_total'));
  expect(shards).toHaveLength(2);
  // Three passes of four shards a step, and what has been begun of the next one.
  const passes = PASSES.discriminator.length + PASSES.generator.length;
  const answered = shards.reduce((sum, count) => sum + count, 0);
  expect(answered).toBeGreaterThanOrEqual(steps * passes * 4);
  expect(answered).toBeLessThanOrEqual((steps + 2) * passes * 4);
  for (const seconds of Object.values(of('replica_shard_seconds_total'))) expect(seconds).toBeGreaterThan(0);
  const now = Date.now() / 1000;
  for (const what of ['step', 'checkpoint']) {
    const time = of(`${what}_timestamp_seconds`)[''] ?? 0;
    expect(Math.abs(now - time), what).toBeLessThan(600); // since 1970
  }
  expect(of('checkpoint_duration_seconds_count')['']).toBeGreaterThanOrEqual(1);
  expect(of('checkpoint_size_bytes')['']).toBeGreaterThan(1e6);
  expect(of('native_memory_bytes')['']).toBeGreaterThan(50e6);
  expect(of('native_tensors')['']).toBeLessThan(100);
});

it('/healthz says ok', async () => {
  const { status, text } = await get('/healthz');
  expect(status).toBe(200);
  expect(JSON.parse(text)).toEqual({ status: 'ok', state: 'training' });
});

it('/api/status has the step, epoch, losses and every replica', async () => {
  const { status, type, text } = await get('/api/status');
  expect(status).toBe(200);
  expect(type).toMatch(/^application\/json/);
  const first = JSON.parse(text);
  expect(first).toMatchObject({
    state: 'training',
    healthy: true,
    run: scratch('run'),
    backend: 'cpu',
    steps: 100_000,
    epoch: expect.any(Number),
    restarts: 0,
    losses: { discriminator: expect.any(Number), generator: expect.any(Number) },
    replicas: [0, 1].map((id) => ({
      id,
      kind: 'thread',
      pid: run.pid,
      threadId: expect.any(Number),
      state: expect.stringMatching(/^(idle|busy)$/),
      restarts: 0,
    })),
    checkpoint: expect.stringContaining('.safetensors'),
  });
  expect(new Set(first.replicas.map(({ threadId }: { threadId: number }) => threadId)).size).toBe(2);
  expect(first.imagesPerSecond).toBeGreaterThan(0);
  await reached(run, scratch('run'), first.step + 2);
  expect(JSON.parse((await get('/api/status')).text).step).toBeGreaterThan(first.step);
});

it('nothing else is served, and nothing can be changed', async () => {
  expect((await get('/secrets')).status).toBe(404);
  expect((await fetch(`${url}/api/status`, { method: 'POST' })).status).toBe(405);
});

it.skipIf(withoutPrometheus)('/metrics passes promtool check metrics', async () => {
  const { text } = await get('/metrics');
  // Throws with promtool's complaints when there are any.
  execFileSync(PROMTOOL, ['check', 'metrics'], { input: text, stdio: ['pipe', 'pipe', 'inherit'] });
});
