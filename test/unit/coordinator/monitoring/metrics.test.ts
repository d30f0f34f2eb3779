import { describe, expect, it } from 'vitest';
import { toOpenMetrics } from '../../../../coordinator/monitoring/exposition.ts';
import { createMetrics } from '../../../../coordinator/monitoring/metrics.ts';
import type { ReplicaStatus } from '../../../../coordinator/replicas/replica-status.ts';
import { checkpointEvent, lostEvent, stepEvent, stragglerEvent } from '../made-up-events.ts';
import { madeUpRecord } from '../made-up-record.ts';

const REPLICAS: ReplicaStatus[] = [
  {
    ...{ id: 0, state: 'idle', kind: 'thread', pid: 9, threadId: 1, restarts: 2 },
    ...{ answered: 40, busySeconds: 1.5, shards: 40, shardSeconds: 0.02 },
  },
  {
    id: 1,
    state: 'restarting',
    kind: null,
    pid: null,
    threadId: null,
    restarts: 1,
    answered: 4,
    busySeconds: 0.25,
    shards: 39,
    shardSeconds: null,
  },
];

function metricsOf(replicas: readonly ReplicaStatus[] = REPLICAS, now = () => 0) {
  return createMetrics({ batch: 128, replicas: () => replicas, info: { node: 'v20', workers: '2' }, now });
}

/** Value of every series of the text, under its name with labels. */
function seriesOf(text: string): Map<string, number> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
  );
}

describe('createMetrics', () => {
  it("names everything ganglion_, but for Node's own metrics", async () => {
    const metrics = metricsOf();
    metrics.observe(stepEvent(madeUpRecord(1)));
    metrics.observe(checkpointEvent(0.1, 1));
    metrics.observe(lostEvent('range'));
    metrics.observe(stragglerEvent());
    metrics.observe({ kind: 'audit' });
    const names = [...(await metrics.text()).matchAll(/^# HELP (\S+) (.+)$/gm)].map(([, name, help]) => ({
      name,
      help,
    }));
    expect(names.filter(({ name }) => name?.startsWith('ganglion_')).length).toBeGreaterThan(15);
    for (const { name, help } of names) {
      expect(name).toMatch(/^(ganglion|nodejs|process)_[a-z0-9_]+$/);
      expect(help).toMatch(/\S/);
    }
    expect(names.some(({ name }) => name === 'process_resident_memory_bytes')).toBe(true);
    // promtool refuses a gauge that is named as a counter.
    expect(await metrics.text()).not.toMatch(/^# TYPE \S+_total gauge$/m);
  });

  it('counts steps and shows the newest one', async () => {
    const metrics = metricsOf();
    metrics.observe(stepEvent(madeUpRecord(41)));
    metrics.observe(stepEvent(madeUpRecord(42, 3)));
    const series = seriesOf(await metrics.text());
    const expected = {
      'ganglion_info{node="v20",workers="2"}': 1,
      ganglion_steps_total: 2,
      ganglion_images_total: 256,
      ganglion_step: 42,
      ganglion_epoch: 3,
      'ganglion_loss{net="discriminator"}': 1.5, // 0.5 + 1
      'ganglion_loss{net="generator"}': 0.25,
      'ganglion_discriminator_output{images="real"}': 0.75,
      'ganglion_discriminator_output{images="fake"}': 0.25,
      'ganglion_gradient_norm{net="discriminator"}': 5,
      'ganglion_gradient_norm{net="generator"}': 1.25,
      'ganglion_gradient_bytes_total{phase="discriminator"}': 2000,
      'ganglion_gradient_bytes_total{phase="generator"}': 2000,
      ganglion_native_tensors: 5,
      // A step takes 0.08 s: within 0.1, not within 0.05.
      'ganglion_step_duration_seconds_bucket{le="0.05"}': 0,
      'ganglion_step_duration_seconds_bucket{le="0.1"}': 2,
      ganglion_step_duration_seconds_count: 2,
      // The parts: once a phase, or once a shard of two.
      'ganglion_phase_duration_seconds_count{phase="generator",part="total"}': 2,
      'ganglion_phase_duration_seconds_count{phase="generator",part="sum"}': 2,
      'ganglion_phase_duration_seconds_count{phase="generator",part="adam"}': 2,
      'ganglion_phase_duration_seconds_count{phase="discriminator",part="prepare"}': 4,
      'ganglion_phase_duration_seconds_count{phase="discriminator",part="compute"}': 4,
      'ganglion_phase_duration_seconds_count{phase="discriminator",part="copy"}': 4,
    };
    expect(Object.fromEntries(Object.keys(expected).map((name) => [name, series.get(name)]))).toEqual(expected);
    const sums = { total: 0.08, sum: 0.006, adam: 0.012, prepare: 0.008, compute: 0.08, copy: 0.0016 };
    for (const [part, seconds] of Object.entries(sums)) {
      const name = `ganglion_phase_duration_seconds_sum{phase="discriminator",part="${part}"}`;
      expect(series.get(name), name).toBeCloseTo(seconds, 10);
    }
    // One of the generator's passes was precomputed in part, for 0.003 s, in both steps.
    const computed = 'ganglion_phase_duration_seconds_sum{phase="generator",part="compute"}';
    expect(series.get(computed)).toBeCloseTo(0.08 + 2 * 0.003, 10);
    expect(series.get('ganglion_step_duration_seconds_sum')).toBeCloseTo(0.16, 10);
  });

  it('shows every step, however many come between two scrapes', async () => {
    const together = metricsOf();
    const oneByOne = metricsOf();
    const own = (text: string) =>
      text.split('\n').filter((line) => line.startsWith('ganglion_') && !/^ganglion_(scrape|native)/.test(line));
    for (let step = 1; step <= 40; step++) {
      const record = { ...madeUpRecord(step), seconds: step / 300 }; // sums that depend on their order
      together.observe(stepEvent(record));
      oneByOne.observe(stepEvent(record));
      const text = await oneByOne.text();
      expect(text).toContain(`\nganglion_steps_total ${step}\n`);
      expect(text).toContain(`\nganglion_step ${step}\n`);
      if ([3, 16, 17, 40].includes(step)) expect(own(await together.text())).toEqual(own(text));
    }
  });

  it('counts late and audited shards, and skipped updates', async () => {
    const metrics = metricsOf();
    metrics.observe(stragglerEvent());
    for (let i = 0; i < 2; i++) metrics.observe({ kind: 'audit' });
    const record = madeUpRecord(1);
    metrics.observe(stepEvent(record));
    metrics.observe(stepEvent({ ...record, generator: { ...record.generator, skipped: true } }));
    const series = seriesOf(await metrics.text());
    expect(series.get('ganglion_stragglers_total')).toBe(1);
    expect(series.get('ganglion_audited_shards_total')).toBe(2);
    expect(series.get('ganglion_skipped_updates_total{phase="generator"}')).toBe(1);
    expect(series.get('ganglion_skipped_updates_total{phase="discriminator"}')).toBe(0);
  });

  it('counts faults by reason, and shows checkpoints', async () => {
    const metrics = metricsOf();
    for (const reason of ['range', 'exit', 'exit'] as const) metrics.observe(lostEvent(reason));
    metrics.observe(checkpointEvent(0.3, 5000));
    metrics.observe(checkpointEvent(0.1, 6000));
    metrics.observe({ kind: 'held', seconds: 0.002 });
    metrics.observe({ kind: 'held', seconds: 0.5 });
    const series = seriesOf(await metrics.text());
    expect(series.get('ganglion_replica_faults_total{reason="range"}')).toBe(1);
    expect(series.get('ganglion_replica_faults_total{reason="exit"}')).toBe(2);
    expect(series.get('ganglion_replica_faults_total{reason="heartbeat"}')).toBe(0);
    expect(series.get('ganglion_checkpoint_size_bytes')).toBe(6000);
    expect(series.get('ganglion_checkpoint_duration_seconds_count')).toBe(2);
    expect(series.get('ganglion_checkpoint_duration_seconds_sum')).toBeCloseTo(0.4, 10);
    expect(series.get('ganglion_checkpoint_blocking_seconds_bucket{le="0.0025"}')).toBe(1);
    expect(series.get('ganglion_checkpoint_blocking_seconds_count')).toBe(2);
    expect(series.get('ganglion_checkpoint_blocking_seconds_sum')).toBeCloseTo(0.502, 10);
  });

  it('asks for the state of the replicas when it is read', async () => {
    const replicas = [...REPLICAS];
    const metrics = metricsOf(replicas);
    const states = async () => {
      const series = seriesOf(await metrics.text());
      return ['starting', 'idle', 'busy', 'restarting', 'stopped'].map((state) =>
        series.get(`ganglion_replicas{state="${state}"}`),
      );
    };
    expect(await states()).toEqual([0, 1, 0, 1, 0]);
    replicas[1] = {
      id: 1,
      state: 'busy',
      kind: 'thread',
      pid: 9,
      threadId: 3,
      restarts: 4,
      answered: 8,
      busySeconds: 0.5,
      shards: 9,
      shardSeconds: 0.02,
    };
    expect(await states()).toEqual([0, 1, 1, 0, 0]);
    const of = async (name: string) => {
      const series = seriesOf(await metrics.text());
      return [0, 1].map((id) => series.get(`ganglion_replica_${name}_total{replica="${id}"}`));
    };
    expect(await of('restarts')).toEqual([2, 4]);
    expect(await of('shards')).toEqual([40, 8]);
    expect(await of('shard_seconds')).toEqual([1.5, 0.5]);
    // One that ends is not wanted any more, and leaves no series.
    expect(seriesOf(await metrics.text()).get('ganglion_workers')).toBe(2);
    replicas[1] = { ...REPLICAS[0], id: 1, state: 'draining' } as ReplicaStatus;
    expect(seriesOf(await metrics.text()).get('ganglion_workers')).toBe(1);
    replicas.pop();
    expect(await of('restarts')).toEqual([2, undefined]);
    // A page is none of those that should be there, and its shards are counted.
    replicas.push({ ...REPLICAS[0], id: 1, kind: 'page', state: 'busy' } as ReplicaStatus);
    expect(seriesOf(await metrics.text()).get('ganglion_workers')).toBe(1);
    expect(await states()).toEqual([0, 1, 0, 0, 0]);
    expect(await of('shards')).toEqual([40, 40]);
  });

  it('has the time of the newest step and checkpoint, and until then that of its start', async () => {
    const clock = { ms: 1_000_000 };
    const metrics = metricsOf(REPLICAS, () => clock.ms);
    const times = async () => {
      const series = seriesOf(await metrics.text());
      return ['step', 'checkpoint'].map((what) => series.get(`ganglion_${what}_timestamp_seconds`));
    };
    expect(await times()).toEqual([1000, 1000]);
    clock.ms += 1500;
    metrics.observe(stepEvent(madeUpRecord(1)));
    expect(await times()).toEqual([1001.5, 1000]);
    clock.ms += 1500;
    metrics.observe(checkpointEvent(0.1, 1));
    expect(await times()).toEqual([1001.5, 1003]);
    metrics.observe(stepEvent(madeUpRecord(2)));
    clock.ms += 1500;
    metrics.observe({ kind: 'repeated' }); // a step that is computed again
    expect(await times()).toEqual([1004.5, 1003]);
  });

  it('names the backend that computes now', async () => {
    let backend = 'cuda';
    const info = { run: 'a', backend };
    const metrics = createMetrics({ batch: 128, replicas: () => REPLICAS, info, backend: () => backend });
    const shown = async () => [...(await metrics.text()).matchAll(/^ganglion_info.*$/gm)].join();
    expect(await shown()).toBe('ganglion_info{run="a",backend="cuda"} 1');
    backend = 'cpu';
    expect(await shown()).toBe('ganglion_info{run="a",backend="cpu"} 1');
  });

  it('shows counters from 0, so that the first event is a rise', async () => {
    const series = seriesOf(await metricsOf().text());
    for (const phase of ['discriminator', 'generator']) {
      expect(series.get(`ganglion_skipped_updates_total{phase="${phase}"}`)).toBe(0);
    }
    expect(series.get('ganglion_replica_faults_total{reason="exit"}')).toBe(0);
  });

  it('gives both formats in turn, with the same series', async () => {
    const metrics = metricsOf();
    metrics.observe(stepEvent(madeUpRecord(1)));
    const [text, openMetrics, again] = await Promise.all([
      metrics.text(),
      metrics.text().then(toOpenMetrics),
      metrics.text(),
    ]);
    const names = (given: string) => [...seriesOf(given).keys()];
    expect(names(openMetrics)).toEqual(names(text));
    expect(names(again)).toEqual(names(text));
    expect(openMetrics).toMatch(/\n# EOF\n$/);
    expect(openMetrics).toMatch(/^# TYPE ganglion_steps counter\nganglion_steps_total 1$/m);
    expect(again).toMatch(/^# TYPE ganglion_steps_total counter\nganglion_steps_total 1$/m);
    expect(seriesOf(await metrics.text()).get('ganglion_scrape_duration_seconds_count')).toBe(3);
  });

  it('shows memory outside the heap, and keeps two runs in one process apart', async () => {
    const first = metricsOf();
    const second = metricsOf();
    first.observe(stepEvent(madeUpRecord(1)));
    const series = seriesOf(await second.text());
    expect(series.get('ganglion_steps_total')).toBe(0);
    const { rss } = process.memoryUsage();
    const native = series.get('ganglion_native_memory_bytes') ?? 0;
    expect(native).toBeGreaterThan(1e6);
    expect(native).toBeLessThan(rss * 1.5);
  });
});

describe('metrics of one of several nodes', () => {
  const namesOf = (text: string): string[] =>
    [...text.matchAll(/^# TYPE (ganglion_\w+)/gm)].map(([, name = '']) => name);

  it('have its number in every series', async () => {
    const metrics = createMetrics({ batch: 128, replicas: () => REPLICAS, info: { run: 'a' }, node: 3 });
    const { discriminator, ...rest } = madeUpRecord(1);
    const waited = { ...discriminator, seconds: { ...discriminator.seconds, reduce: 0.25 } };
    metrics.observe(stepEvent({ ...rest, discriminator: waited }));
    const series = seriesOf(await metrics.text());
    for (const name of series.keys()) expect(name).toMatch(/[{,]node="3"/);
    expect(series.get('ganglion_step{node="3"}')).toBe(1);
    const sum = [...series].find(([name]) =>
      /duration_seconds_sum.*reduce.*discriminator|duration_seconds_sum.*discriminator.*reduce/.test(name),
    );
    expect(sum?.[1]).toBe(0.25);
  });

  it('are those of the run only where it is written', async () => {
    const sources = { batch: 128, replicas: () => REPLICAS, info: { run: 'a' }, node: 1 };
    const [writer, member] = [createMetrics(sources), createMetrics({ ...sources, writes: false })];
    for (const event of [stepEvent(1), checkpointEvent(0.1, 1), lostEvent('exit'), stragglerEvent()]) {
      for (const metrics of [writer, member]) metrics.observe(event);
    }
    const own = namesOf(await member.text());
    expect(own).toEqual(expect.arrayContaining(['ganglion_info', 'ganglion_workers', 'ganglion_stragglers_total']));
    const ofRun = namesOf(await writer.text()).filter((name) => !own.includes(name));
    const known =
      /_(steps|images|skipped_updates)_total$|_(step|epoch|loss|discriminator_output|gradient_norm)$|_step_|_checkpoint_|_(precision|recall|class_share)$|_frechet|_evaluation|_real_class/;
    expect([ofRun.filter((name) => !known.test(name)), own.filter((name) => known.test(name))]).toEqual([[], []]);
    expect(seriesOf(await member.text()).get('ganglion_replica_faults_total{reason="exit",node="1"}')).toBe(1);
  });
});
