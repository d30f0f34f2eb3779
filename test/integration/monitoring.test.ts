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
const SOON = { timeout: 20_000, interval: 200 };

let run: Running;
let target: string;
let prometheus: Prometheus;

const firing = async (): Promise<string[]> => (await prometheus.alerts()).map(({ labels }) => labels.alertname ?? '');

describe.skipIf(withoutPrometheus)('Prometheus with the rules and the dashboards', () => {
  beforeAll(async () => {
    const args = ['--batch', '16', '--workers', '2', '--isolation', 'process', '--steps', '100000', '--seed', '7'];
    const often = ['--checkpoint-every', '1s', '--audit', '0.1'];
    run = startGanglion(['train', ...args, ...often, '--metrics-port', '0', '--run', scratch('run')]);
    const [, port] = await run.said(/^metrics: http:\/\/localhost:(\d+)\/metrics$/m);
    target = `127.0.0.1:${port}`;
    prometheus = await startPrometheus(scratch, target, shortenedRules(FACTOR));
    // Ranges of 5 s are full.
    await vi.waitUntil(async () => {
      const [steps] = await prometheus
        .query('min_over_time(ganglion_step[5s]) > 0 and count_over_time(ganglion_step[6s]) > 4')
        .catch(() => []);
      return steps !== undefined;
    }, SOON);
  });

  afterAll(async () => {
    await prometheus?.stop();
    run.child.kill('SIGTERM');
    const { exitCode, stderr } = await run.ended;
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
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
    const without: string[] = [];
    for (const { where, expression, kind } of dashboardQueries()) {
      if (kind !== 'panel') continue;
      const samples = await prometheus.query(fillVariables(expression, { instance: target, __rate_interval: '5s' }));
      if (!samples.some(({ value }) => Number.isFinite(value))) without.push(where);
    }
    expect(without).toEqual([]);
  });

  it('a healthy run raises no alarm about its replicas, steps and checkpoints', async () => {
    const names = await firing();
    for (const what of ['Stalled', 'Unreachable', 'SkippedUpdates', 'CheckpointStale', 'ReplicaRestarts']) {
      expect(names).not.toContain(`Ganglion${what}`);
    }
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
      const filled = fillVariables(expression, { instance: target, __rate_interval: '5s' });
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
});
