// /metrics under load, while a run trains: every answer is whole, counters never fall, and none waits for a step.
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Running, reached, scratchFolder, startGanglion } from './ganglion.ts';

const scratch = scratchFolder('scrapes');
/** As Prometheus sends it. */
const OPEN_METRICS = 'application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1';

let run: Running;
let url: string;

beforeAll(async () => {
  // One replica and large shards: a step takes some tenths of a second.
  const args = ['--batch', '512', '--shards', '4', '--workers', '1', '--steps', '100000', '--seed', '7'];
  run = startGanglion(['train', ...args, '--metrics-port', '0', '--run', scratch('run')]);
  const [, port] = await run.said(/^metrics: http:\/\/localhost:(\d+)\/metrics$/m);
  url = `http://127.0.0.1:${port}/metrics`;
  await reached(run, scratch('run'), 2);
});

afterAll(async () => {
  run.child.kill('SIGTERM');
  const { exitCode, stderr } = await run.ended;
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
});

interface Scrape {
  readonly startedMs: number;
  readonly endedMs: number;
  readonly series: ReadonlyMap<string, number>;
  /** Names of metrics by type, those of counters with `_total`. */
  readonly types: ReadonlyMap<string, string>;
}

/** @throws Error when a line is neither a comment nor a sample of a metric with a type, or is there twice */
function parseText(text: string): Pick<Scrape, 'series' | 'types'> {
  const types = new Map<string, string>();
  const series = new Map<string, number>();
  for (const line of text.split('\n')) {
    if (line === '' || line === '# EOF' || line.startsWith('# HELP ')) continue;
    const [, name = '', type = ''] = /^# TYPE (\S+) (counter|gauge|histogram)$/.exec(line) ?? [];
    if (name !== '') {
      types.set(type === 'counter' ? `${name.replace(/_total$/, '')}_total` : name, type);
      continue;
    }
    const sample = /^(([a-z0-9_]+)(?:\{(?:[a-z_]+="[^"\\]*",?)+\})?) (-?[0-9.e+-]+|NaN|\+Inf)$/i.exec(line);
    const [, key = '', metric = '', value = ''] = sample ?? [];
    const known = types.has(metric) || types.has(metric.replace(/_(bucket|sum|count)$/, ''));
    if (!sample || !known || series.has(key)) throw new Error(`unexpected line: ${line}`);
    series.set(key, value === '+Inf' ? Number.POSITIVE_INFINITY : Number(value));
  }
  return { types, series };
}

async function scrape(accept: string): Promise<Scrape> {
  const startedMs = performance.now();
  const response = await fetch(url, { headers: { accept } });
  const text = await response.text();
  const endedMs = performance.now();
  expect(response.status).toBe(200);
  expect(text.endsWith('\n# EOF\n')).toBe(accept === OPEN_METRICS);
  expect(response.headers.get('content-type')).toMatch(
    accept === OPEN_METRICS ? /^application\/openmetrics/ : /^text\/plain/,
  );
  return { startedMs, endedMs, ...parseText(text) };
}

/** Series that may only rise, with a value that has fallen from a scrape to one that was begun after it. */
function fallen(scrapes: readonly Scrape[]): string[] {
  const found: string[] = [];
  const most = new Map<string, number>();
  const byEnd = scrapes.toSorted((a, b) => a.endedMs - b.endedMs);
  let ended = 0;
  for (const { startedMs, series, types } of scrapes.toSorted((a, b) => a.startedMs - b.startedMs)) {
    for (; (byEnd[ended]?.endedMs ?? Number.POSITIVE_INFINITY) < startedMs; ended++) {
      for (const [key, value] of byEnd[ended]?.series ?? []) most.set(key, Math.max(most.get(key) ?? 0, value));
    }
    for (const [key, value] of series) {
      const [name = ''] = key.split('{', 1);
      const rises =
        types.get(name) === 'counter' || types.get(name.replace(/_(bucket|sum|count)$/, '')) === 'histogram';
      if (rises && value < (most.get(key) ?? 0)) found.push(key);
    }
  }
  return found;
}

/** Histograms in which a bucket holds less than the one before it, or the last one not all. */
function brokenHistograms({ series, types }: Scrape): string[] {
  const broken: string[] = [];
  for (const [name, type] of types) {
    if (type !== 'histogram') continue;
    const before = new Map<string, number>();
    for (const [key, value] of series) {
      if (!key.startsWith(`${name}_bucket{`)) continue;
      const count = key
        .replace(/,?le="[^"]*",?/, '')
        .replace('_bucket', '_count')
        .replace('{}', '');
      if (value < (before.get(count) ?? 0)) broken.push(key);
      before.set(count, value);
    }
    for (const [count, value] of before) if (series.get(count) !== value) broken.push(count);
  }
  return broken;
}

it('answers 100 scrapes a second, in both formats, and counters never fall', async () => {
  const scrapes: Promise<Scrape>[] = [];
  const startedMs = performance.now();
  for (let i = 0; i < 300; i++) {
    await delay(startedMs + i * 10 - performance.now());
    const one = scrape(i % 2 === 0 ? OPEN_METRICS : 'text/plain');
    one.catch(() => {}); // thrown below
    scrapes.push(one);
  }
  const answered = await Promise.all(scrapes);
  expect((performance.now() - startedMs) / 1000).toBeLessThan(30); // 3 s where nothing else runs
  expect(fallen(answered)).toEqual([]);
  expect(answered.flatMap(brokenHistograms)).toEqual([]);
  // The run goes on, at its own pace, and both formats have the same series, once none is new between the two.
  const stepOf = ({ series }: Scrape): number => series.get('ganglion_steps_total') ?? 0;
  const first = Math.min(...answered.map(stepOf));
  await expect.poll(async () => stepOf(await scrape('text/plain'))).toBeGreaterThan(first);
  const keysOf = async (accept: string): Promise<string[]> =>
    [...(await scrape(accept)).series.keys()].filter((key) => key.startsWith('ganglion_'));
  const inOne = async (): Promise<string[]> => {
    const [plain, open] = [await keysOf('text/plain'), await keysOf(OPEN_METRICS)];
    return [...plain.filter((key) => !open.includes(key)), ...open.filter((key) => !plain.includes(key))];
  };
  await expect.poll(inOne).toEqual([]);
});

it('answers hundreds at once', async () => {
  const answered = await Promise.all(
    Array.from({ length: 300 }, (_, i) => scrape(i % 2 === 0 ? OPEN_METRICS : 'text/plain')),
  );
  expect(answered).toHaveLength(300);
  const after = await scrape(OPEN_METRICS);
  expect(fallen([...answered, after])).toEqual([]);
  expect(answered.flatMap(brokenHistograms)).toEqual([]);
});

it('answers while a step is under way', async () => {
  /** Scrapes answered with a step as the newest one. */
  const counts = new Map<number, number>();
  const times: number[] = [];
  const startedMs = performance.now();
  while (counts.size < 5) {
    const { series, startedMs: from, endedMs } = await scrape('text/plain');
    const step = series.get('ganglion_step') ?? 0;
    counts.set(step, (counts.get(step) ?? 0) + 1);
    times.push(endedMs - from);
  }
  const stepMs = (performance.now() - startedMs) / counts.size;
  const median = (values: number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
  // The first and the last step are not whole.
  expect(median([...counts.values()].slice(1, -1))).toBeGreaterThan(5);
  expect(median(times)).toBeLessThan(stepMs / 5);
});
