import { appendFileSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { toDataset } from '../../../../coordinator/data/dataset.ts';
import { LiveTraining } from '../../../../coordinator/live/live-training.ts';
import { StatusKeeper } from '../../../../coordinator/monitoring/status.ts';
import { toRunConfig } from '../../../../coordinator/run-folder/run-config.ts';
import { createRunFolder } from '../../../../coordinator/run-folder/run-folder.ts';
import { mergeSettings } from '../../../../coordinator/settings/settings.ts';
import { GanglionError } from '../../../../shared/error.ts';
import { scratchFolder } from '../../scratch.ts';
import { madeUpRecord } from '../made-up-record.ts';

function trained(path = join(scratchFolder(), 'run')) {
  const dataset = toDataset('two digits', new Uint8Array(2 * 784), Uint8Array.of(3, 4), [28, 28, 1]);
  const config = toRunConfig(mergeSettings({ batch: 16, steps: 9, apiToken: 's3cret' }), dataset);
  const clock = { ms: 1000 };
  const failures: string[] = [];
  const keeper = new StatusKeeper({
    run: path,
    backend: 'native',
    step: 0,
    epoch: 0,
    steps: 9,
    batch: 16,
    replicas: () => [],
  });
  const live = new LiveTraining({
    path,
    config,
    actions: null,
    status: () => keeper.status,
    onFailure: (message) => failures.push(message),
    now: () => clock.ms,
  });
  onTestFinished(() => live.close());
  return { live, clock, failures, keeper, path };
}

const eventsOf = ({ live }: { live: LiveTraining }) =>
  live.run.info.events.map(({ kind, step, text }) => [kind, step, text]);
const SHARD = { step: 4, pass: 'generator', shard: 2 } as const;

describe('LiveTraining', () => {
  it('draws curves of the steps', () => {
    const { live } = trained();
    live.step(madeUpRecord(1));
    const { curves } = live.run.read({ from: 0, to: 9, points: 10 });
    const means = Object.fromEntries(Object.entries(curves).map(([name, { mean }]) => [name, mean[0]]));
    const outputs = { outputReal: 0.75, outputFake: 0.25, gradientNormD: 5, gradientNormG: 1.25 };
    expect(means).toEqual({ lossD: 1.5, lossG: 0.25, ...outputs, imagesPerSecond: 200 });
  });

  it('notes what happens, in memory and in events.jsonl', async () => {
    const made = trained();
    const { live, keeper, path } = made;
    const folder = createRunFolder(path);
    await live.open(folder, 0);
    live.started(false, 'training', { node: 'v1' });
    const record = madeUpRecord(3);
    keeper.step(record);
    const bad = [{ shard: SHARD, replicas: [0, 1], what: 'gradient/x[3] is NaN' }];
    live.step({ ...record, generator: { ...record.generator, skipped: true, bad } });
    live.checkpoint({ step: 3, bytes: 3 * 2 ** 20, seconds: 0.25, path: 'a', sha256: 'b' });
    live.lost(new GanglionError('replica', 'replica 1 failed', { reason: 'exit' }));
    live.restarted(1);
    live.resized(2, 3);
    live.stopping('SIGINT');
    live.ended('stopped at step 3 of 9');
    expect(eventsOf(made)).toEqual([
      ['start', 0, 'training'],
      [
        'skipped',
        3,
        'update of the generator skipped: step 4, generator phase, shard 2: gradient/x[3] is NaN (replicas 0 and 1 agree)',
      ],
      ['checkpoint', 3, 'checkpoint of step 3, 3.0 MiB in 0.25 s'],
      ['lost', 3, 'replica 1 failed (exit)'],
      ['restarted', 3, 'replica 1 is back'],
      ['resize', 3, '2 workers become 3'],
      ['stop', 3, 'stop asked for by SIGINT'],
      ['end', 3, 'stopped at step 3 of 9'],
    ]);
    live.close();
    const lines = readFileSync(folder.events, 'utf8').trimEnd().split('\n');
    expect(lines).toHaveLength(8);
    const first = { time: 1000, step: 0, kind: 'start', text: 'training' };
    expect(JSON.parse(lines[0] ?? '')).toEqual({ ...first, environment: { node: 'v1' } });
    expect(live.run.info).toMatchObject({ environment: { node: 'v1' } });
    expect(live.run.info.events[0]).toEqual({ seq: 1, ...first });
  });

  it('goes on with the curves and events of before, up to the step that is resumed', async () => {
    const before = trained();
    const folder = createRunFolder(before.path);
    await before.live.open(folder, 0);
    before.live.started(false, 'training', { node: 'v1' });
    before.live.close();
    for (const step of [1, 2, 3]) appendFileSync(folder.metrics, `{"step":${step},"epoch":0,"lossG":${step}}\n`);
    appendFileSync(folder.events, '{"time":'); // the crash
    const after = trained(before.path);
    await after.live.open(folder, 2);
    after.live.started(true, 'going on', { node: 'v2' });
    expect(after.live.run.history.last).toBe(2);
    expect(eventsOf(after).map(([kind]) => kind)).toEqual(['start', 'resume']);
    after.live.close();
    expect(
      readFileSync(folder.events, 'utf8')
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line).kind),
    ).toEqual(['start', 'resume']);
  });

  it('notes a replica that is late again and again once in ten seconds', () => {
    const made = trained();
    for (const ms of [0, 1000, 9999, 10_000, 10_001]) {
      made.clock.ms = ms;
      made.live.straggler(SHARD, 1);
    }
    made.live.straggler(SHARD, 2);
    expect(made.live.run.info.events.map(({ time, text }) => [time, text.slice(0, 9)])).toEqual([
      [0, 'replica 1'],
      [10_000, 'replica 1'],
      [10_001, 'replica 2'],
    ]);
  });

  it('lets the run go on, and says so once, when events.jsonl cannot be written', async () => {
    const { live, failures, path } = trained();
    const folder = createRunFolder(path);
    rmSync(folder.events, { force: true });
    mkdirSync(folder.events);
    await live.open(folder, 0);
    live.restarted(1);
    expect(failures).toEqual([expect.stringContaining('events.jsonl')]);
    expect(live.run.info.events).toHaveLength(1);
  });

  it('tells a stop from an end, and keeps secrets', () => {
    const { live, keeper } = trained();
    keeper.enter('training');
    expect(live.run.status.state).toBe('training');
    keeper.step(madeUpRecord(3));
    keeper.enter('finished');
    expect(live.run.status).toMatchObject({ state: 'stopped', step: 3, steps: 9 });
    keeper.step(madeUpRecord(9));
    expect(live.run.status.state).toBe('finished');
    expect(JSON.stringify(live.run.info)).not.toContain('s3cret');
  });

  it('is over when the run fails', () => {
    const made = trained();
    made.keeper.enter('training');
    made.live.failed(new GanglionError('faults', 'too many restarts'));
    expect(made.live.run.status.state).toBe('stopped');
    expect(eventsOf(made)).toEqual([['end', 0, 'ended: too many restarts']]);
  });

  it('tells of the newest picture', () => {
    const { live } = trained();
    expect(live.run.status.sample).toBeNull();
    live.sampled(78);
    expect(live.run.status.sample).toBe(78);
  });
});
