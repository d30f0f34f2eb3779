import { appendFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { EventLog } from '../../../../coordinator/run-folder/events.ts';
import { createRunFolder, runFolderAt } from '../../../../coordinator/run-folder/run-folder.ts';
import { GanglionError } from '../../../../shared/error.ts';
import { scratchFolder } from '../../scratch.ts';
import { checkpointEvent, endedEvent, lostEvent, startedEvent, stepEvent, stragglerEvent } from '../made-up-events.ts';

function noted(path = join(scratchFolder(), 'run'), step = 0) {
  const clock = { ms: 1000 };
  const failures: string[] = [];
  const log = new EventLog({ step, onFailure: (message) => failures.push(message), now: () => clock.ms });
  onTestFinished(() => log.close());
  return { log, clock, failures, path };
}

const eventsOf = ({ log }: { log: EventLog }) => log.timeline.events.map(({ kind, step, text }) => [kind, step, text]);
const linesOf = (path: string) =>
  readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

describe('EventLog', () => {
  it('drops what steps had made that are done again, and keeps what became of replicas', async () => {
    const path = join(scratchFolder(), 'events.jsonl');
    const line = (kind: string, step: number, more: object = {}) =>
      `${JSON.stringify({ time: 1, step, kind, text: kind, ...more })}\n`;
    const before = line('start', 0) + line('skipped', 4) + line('checkpoint', 4);
    const lost = line('lost', 5);
    const sum = line('skipped', 6, { count: 3 });
    const undone = [line('skipped', 5), line('checkpoint', 6)];
    writeFileSync(path, [before, undone[0], lost, undone[1], sum, '{"time":1,"st'].join(''));
    const made = noted(path, 4);
    await made.log.open(path);
    expect(readFileSync(path, 'utf8')).toBe(before + lost + sum);
    expect(eventsOf(made).map(([kind, step]) => `${kind} ${step}`)).toEqual([
      'start 0',
      'skipped 4',
      'checkpoint 4',
      'lost 5',
      'skipped 6',
    ]);
    expect(made.failures).toEqual([]);
  });

  it('notes what happens, in memory and in events.jsonl', async () => {
    const made = noted();
    const { log, path } = made;
    const folder = createRunFolder(path);
    await log.open(folder.events);
    log.observe(startedEvent());
    log.observe({ kind: 'training' });
    log.observe(stepEvent(2));
    const shard = { step: 4, pass: 'generator', shard: 2 } as const;
    const bad = [{ shard, replicas: [0, 1], what: 'gradient/x[3] is NaN' }];
    log.observe(stepEvent(3));
    log.observe({ kind: 'skipped', phase: 'generator', bad });
    log.observe(checkpointEvent(0.25, 3 * 2 ** 20));
    log.observe(lostEvent('exit'));
    log.observe({ kind: 'gpuLost', text: 'cuda:1 is lost: gone; its workers go on with cpu' });
    log.observe({ kind: 'restarted', replica: 1 });
    log.observe({ kind: 'audit' });
    log.observe({ kind: 'resized', from: 2, to: 3 });
    log.observe({ kind: 'stopping', who: 'SIGINT' });
    log.observe(endedEvent(3));
    const started = 'training: two digits; 2 workers, 4 shards; kernels 1';
    expect(eventsOf(made)).toEqual([
      ['start', 0, started],
      ['skipped', 3, 'update skipped: step 4, generator phase, shard 2: gradient/x[3] is NaN (replicas 0 and 1 agree)'],
      ['checkpoint', 3, 'checkpoint of step 3, 3.0 MiB in 0.25 s'],
      ['lost', 3, 'replica 1 failed (exit); its shards go to other replicas'],
      ['lost', 3, 'cuda:1 is lost: gone; its workers go on with cpu'],
      ['restarted', 3, 'replica 1 has restarted'],
      ['resize', 3, 'changing from 2 to 3 workers'],
      ['stop', 3, 'SIGINT: finishing the step and writing a checkpoint'],
      ['end', 3, 'stopped at step 3 of 9, 1000 images/s'],
    ]);
    log.close();
    const lines = linesOf(folder.events);
    expect(lines).toHaveLength(9);
    const first = { time: 1000, step: 0, kind: 'start', text: started };
    expect(lines[0]).toEqual({ ...first, environment: { node: 'v1' } });
    expect(log.timeline.events[0]).toEqual({ seq: 1, ...first });
  });

  it('names the phase of an update that another node has skipped', () => {
    const made = noted();
    made.log.observe(stepEvent(3));
    made.log.observe({ kind: 'skipped', phase: 'discriminator', bad: [] });
    expect(eventsOf(made)).toEqual([
      ['skipped', 3, 'update skipped: bad gradients of the discriminator on another node'],
    ]);
  });

  it('goes on with the events of before, without the line that a crash has cut', async () => {
    const before = noted();
    const folder = createRunFolder(before.path);
    await before.log.open(folder.events);
    before.log.observe(startedEvent());
    before.log.close();
    appendFileSync(folder.events, '{"time":'); // the crash
    const after = noted(before.path, 2);
    await after.log.open(folder.events);
    after.log.observe(startedEvent(true, { node: 'v2' }));
    expect(eventsOf(after).map(([kind, step]) => [kind, step])).toEqual([
      ['start', 0],
      ['resume', 2],
    ]);
    after.log.close();
    expect(linesOf(folder.events).map(({ kind }) => kind)).toEqual(['start', 'resume']);
  });

  it('notes how many events a line stands for', async () => {
    const { log, path } = noted();
    const folder = createRunFolder(path);
    await log.open(folder.events);
    log.observe(stepEvent(4));
    const parts = ['replica 1 7', 'replica 0 5'];
    log.observe({ kind: 'more', of: 'straggler', count: 12, parts, newest: stragglerEvent(1) });
    log.close();
    const text = '12 more shards of stragglers were given to a second replica: replica 1 7, replica 0 5';
    expect(linesOf(folder.events)).toEqual([{ time: 1000, step: 4, kind: 'straggler', text, count: 12 }]);
  });

  it('lets the run go on, and says so once, when events.jsonl cannot be written', async () => {
    const { log, failures, path } = noted();
    const folder = createRunFolder(path);
    rmSync(folder.events, { force: true });
    mkdirSync(folder.events);
    await log.open(folder.events);
    log.observe({ kind: 'restarted', replica: 1 });
    expect(failures).toEqual([expect.stringContaining('events.jsonl')]);
    expect(log.timeline.events).toHaveLength(1);
  });

  it('notes why a run ends by an error, also before there is a folder', () => {
    const made = noted();
    made.log.observe({ kind: 'failed', error: new GanglionError('faults', 'too many restarts') });
    expect(eventsOf(made)).toEqual([['end', 0, 'ended: too many restarts']]);
    expect(() => readFileSync(runFolderAt(made.path).events)).toThrow();
  });
});
