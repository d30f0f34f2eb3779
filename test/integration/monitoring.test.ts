// The real Prometheus watches a real run, with the rules of dashboards/prometheus: every panel of the dashboards has data, and what is
// done to the run raises its alert. Times of the rules are shortened, see rules-file.ts.
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { dashboardQueries } from '../unit/dashboards/dashboard-queries.ts';
import { fillVariables } from '../unit/dashboards/promql.ts';
import { shortenedRules } from '../unit/dashboards/rules-file.ts';
import { type Running, scratchFolder, startGanglion } from './ganglion.ts';
import { type Prometheus, startPrometheus, withoutPrometheus } from './prometheus.ts';

const scratch = scratchFolder('monitoring');
/** Minutes become seconds. */
const FACTOR = 1 / 60;
/** What has a number on any machine. Figures of a GPU need one: unit tests hold their queries to the names of metrics. */
const PANELS = dashboardQueries().filter(
  ({ kind, expression }) => kind === 'panel' && !expression.includes('ganglion_gpu_'),
);

const SOON = { timeout: 120_000, interval: 200 };
const ARGS = ['--batch', '16', '--workers', '2', '--isolation', 'process', '--steps', '100000', '--seed', '7'];
/** The rate is so small that the generator goes on drawing what it begins with: one digit, if any. */
const OFTEN = ['--checkpoint-every', '1s', '--audit', '0.1', '--evaluate-every', '50', '--lr', '1e-6'];

/** Of the dashboards' variables, all but the address. */
const VALUES = { run: '.*', __rate_interval: '5s' };

let run: Running;
let target: string;
let prometheus: Prometheus;

/** Where a query of these has no number. */
async function withoutNumber(panels: typeof PANELS, values: typeof VALUES): Promise<string[]> {
  const empty: string[] = [];
  for (const { where, expression } of panels) {
    const samples = await prometheus.query(fillVariables(expression, { ...values, instance: target }));
    if (!samples.some(({ value }) => Number.isFinite(value))) empty.push(where);
  }
  return empty;
}

const firing = async (): Promise<string[]> => (await prometheus.alerts()).map(({ labels }) => labels.alertname ?? '');

describe.skipIf(withoutPrometheus)('Prometheus with the rules and the dashboards', () => {
  beforeAll(async () => {
    run = startGanglion(['train', ...ARGS, ...OFTEN, '--metrics-port', '0', '--run', scratch('first')]);
    const [, port] = await run.said(/^metrics: http:\/\/localhost:(\d+)\/metrics$/m);
    target = `127.0.0.1:${port}`;
    prometheus = await startPrometheus(scratch, target, shortenedRules(FACTOR));
    // Ranges of 5 s are full.
    await vi.waitUntil(async () => {
      const [steps] = await prometheus
        .query(
          'min_over_time(ganglion_step[5s]) > 0 and count_over_time(ganglion_step[6s]) > 4 and on () ganglion_recall',
        )
        .catch(() => []);
      return steps !== undefined;
    }, SOON);
  });

  const endRun = async (): Promise<void> => {
    run.child.kill('SIGTERM');
    const { exitCode, stderr } = await run.ended;
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  };

  afterAll(async () => {
    await prometheus?.stop();
    await endRun();
  });

  it('reads the metrics without an error, and all rules can be evaluated', async () => {
    const { activeTargets } = (await prometheus.get('targets')) as {
      activeTargets: { health: string; lastError: string }[];
    };
    expect(activeTargets).toMatchObject([{ health: 'up', lastError: '' }]);
    const { groups } = (await prometheus.get('rules')) as {
      groups: { rules: { name: string; health: string; lastError?: string }[] }[];
    };
    for (const rule of groups.flatMap((group) => group.rules)) {
      expect(rule, rule.name).toMatchObject({ health: 'ok' });
      expect(rule.lastError ?? '', rule.name).toBe('');
    }
  });

  it('every query of every panel has a number', async () => {
    // On a busy machine a scrape may come late, and what it tells is stale for a second.
    await expect.poll(() => withoutNumber(PANELS, VALUES), SOON).toEqual([]);
  });

  it('a healthy run raises no alarm about its replicas, steps and checkpoints', async () => {
    const names = await firing();
    for (const what of ['Stalled', 'Unreachable', 'SkippedUpdates', 'CheckpointStale', 'ReplicaRestarts']) {
      expect(names).not.toContain(`Ganglion${what}`);
    }
  });

  it('a generator that draws few of the digits raises its alert, with words that name one', async () => {
    await expect.poll(firing, SOON).toContain('GanglionModeCollapse');
    const alert = (await prometheus.alerts()).find(({ labels }) => labels.alertname === 'GanglionModeCollapse');
    const { digit = '', weights } = alert?.labels ?? {};
    expect(digit).toMatch(/^\d$/);
    expect(weights).toMatch(/^(raw|ema)$/);
    expect(alert?.annotations.summary).toBe(`The generator on ${target} has all but forgotten the digit ${digit}`);
  });

  it('a killed replica raises its alert, with words that name it, which ends by itself', async () => {
    const status = (await (await fetch(`http://${target}/api/status`)).json()) as {
      step: number;
      replicas: { id: number; pid: number }[];
    };
    const pid = status.replicas.find(({ id }) => id === 1)?.pid ?? 0;
    expect(pid).toBeGreaterThan(0);
    expect(pid).not.toBe(run.pid);
    const shards = async () => (await prometheus.query('ganglion_replica_shards_total{replica="1"}'))[0]?.value ?? 0;
    const before = await shards();
    process.kill(pid, 'SIGKILL');
    await expect.poll(firing, SOON).toContain('GanglionReplicaRestarts');
    const alert = (await prometheus.alerts()).find(({ labels }) => labels.alertname === 'GanglionReplicaRestarts');
    expect(alert).toMatchObject({
      labels: { job: 'ganglion', instance: target, replica: '1', severity: 'warning' },
      annotations: { summary: `Replica 1 on ${target} was lost` },
    });
    expect(alert?.annotations.description).toMatch(/^It was replaced 1 times in ten minutes; /);
    const faults = await prometheus.query('ganglion_replica_faults_total > 0');
    expect(faults).toMatchObject([{ labels: { reason: 'exit' }, value: 1 }]);
    // What the dashboards mark has data now.
    for (const { where, expression, kind } of dashboardQueries()) {
      if (kind !== 'mark') continue;
      const filled = fillVariables(expression, { ...VALUES, instance: target });
      const marks = () => prometheus.query(`last_over_time((${filled})[20s:1s])`);
      await expect.poll(marks, { ...SOON, message: where }).not.toEqual([]);
    }
    await expect.poll(shards, SOON).toBeGreaterThan(before); // the counter goes on where it was
    await expect.poll(firing, SOON).not.toContain('GanglionReplicaRestarts');
    expect((await prometheus.query('resets(ganglion_replica_shards_total{replica="1"}[1m])'))[0]?.value).toBe(0);
  });

  it('a frozen coordinator raises its alert, until it goes on', async () => {
    process.kill(run.pid, 'SIGSTOP');
    try {
      await expect.poll(firing, SOON).toContain('GanglionUnreachable');
    } finally {
      process.kill(run.pid, 'SIGCONT');
    }
    await expect.poll(firing, SOON).not.toContain('GanglionUnreachable');
  });

  it('two runs in turn on one port are two curves', async () => {
    const query = dashboardQueries().find(({ where }) => where.startsWith('training-health.json, Steps, '));
    const steps = (run: string) => fillVariables(query?.expression ?? '', { ...VALUES, run, instance: target });
    const since = Date.now() / 1000 - 10;
    const stepOfFirst = (await prometheus.query(steps('first')))[0]?.value ?? 0;
    expect(stepOfFirst).toBeGreaterThan(0);
    await endRun();
    const port = target.split(':')[1] ?? '';
    run = startGanglion(['train', ...ARGS, ...OFTEN, '--metrics-port', port, '--run', scratch('second')]);
    await vi.waitUntil(async () => {
      const points = await prometheus.query(`count_over_time((${steps('second')})[6s:1s]) > 5`).catch(() => []);
      return points.length > 0;
    }, SOON);
    // The dashboards' variable offers both.
    const match = encodeURIComponent(`ganglion_info{instance="${target}"}`);
    expect(await prometheus.get(`label/run/values?match[]=${match}`)).toEqual(['first', 'second']);
    // Each curve has its own points, and they do not overlap.
    const until = Date.now() / 1000;
    const range = `start=${since}&end=${until}&step=1`;
    const { result } = (await prometheus.get(`query_range?query=${encodeURIComponent(steps('.*'))}&${range}`)) as {
      result: { metric: { run: string }; values: [number, string][] }[];
    };
    const [first, second] = ['first', 'second'].map((name) => result.find(({ metric }) => metric.run === name)?.values);
    expect(result).toHaveLength(2);
    expect(Number(first?.at(-1)?.[1])).toBeGreaterThanOrEqual(stepOfFirst);
    expect(first?.at(-1)?.[0]).toBeLessThan(second?.[0]?.[0] ?? 0);
    // One run alone can be chosen, in every panel.
    const panels = PANELS.filter(({ expression }) => expression.includes('$run'));
    // The first evaluation of a run comes last.
    await expect.poll(() => withoutNumber(panels, { ...VALUES, run: 'second' }), SOON).toEqual([]);
    const samplesOf = (name: string, expression: string) =>
      prometheus.query(fillVariables(expression, { ...VALUES, run: name, instance: target }));
    for (const { where, expression } of panels) expect(await samplesOf('first', expression), where).toEqual([]);
  });
});
