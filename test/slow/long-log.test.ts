// A run whose log is longer than V8's longest string (512 MiB) is resumed, ended, reported and viewed in memory that does not grow with it.
import { closeSync, openSync, readFileSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import {
  checkpointName,
  listCheckpoints,
  readCheckpoint,
  writeCheckpoint,
} from '../../coordinator/checkpoints/checkpoint.ts';
import { type Running, recordsOf, scratchFolder, startGanglion, succeed, summaryOf } from '../integration/ganglion.ts';

const scratch = scratchFolder('long-log');
const STEPS = 2_000_000;
const MOST_BYTES = 500e6;

/** Gives a run of few steps the log and the newest checkpoint of one of `STEPS`. */
function lengthen(run: string): void {
  const [newest = ''] = listCheckpoints(join(run, 'checkpoints'));
  const { state, config } = readCheckpoint(newest);
  state.step = STEPS;
  writeCheckpoint(join(run, 'checkpoints', checkpointName(STEPS)), state, config);
  const record = recordsOf(run).at(-1);
  const log = openSync(join(run, 'metrics.jsonl'), 'w');
  const PART = 10_000;
  for (let first = 1; first <= STEPS; first += PART) {
    const lines = Array.from({ length: PART }, (_, i) => `${JSON.stringify({ ...record, step: first + i })}\n`);
    writeSync(log, lines.join(''));
  }
  closeSync(log);
}

/** Most memory that a process has had, looked at until it says `pattern`, or ends. */
async function peakOf(running: Running, pattern?: RegExp): Promise<number> {
  let peak = 0;
  let over = false;
  const said = pattern ? running.said(pattern) : running.ended;
  void said.finally(() => {
    over = true;
  });
  while (!over) {
    const status = readFileSync(`/proc/${running.pid}/status`, 'utf8');
    peak = Math.max(peak, Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024);
    await delay(20);
  }
  return peak;
}

it('resumes, ends, reports and shows a run of two million steps', async () => {
  const run = scratch('run');
  const model = ['--batch', '32', '--shards', '4', '--latent', '16', '--workers', '1', '--metrics-port', 'off'];
  await succeed(['train', ...model, '--steps', '4', '--run', run]);
  lengthen(run);
  expect(statSync(join(run, 'metrics.jsonl')).size).toBeGreaterThan(2 ** 29);

  const resumed = startGanglion(['train', '--resume', run, '--steps', String(STEPS + 5)]);
  expect(await peakOf(resumed)).toBeLessThan(MOST_BYTES);
  expect(await resumed.ended).toMatchObject({ exitCode: 0, stderr: '' });
  expect(summaryOf(run)).toMatchObject({ step: STEPS + 5, lostSteps: 0, repeatedSteps: 0 });

  const reported = startGanglion(['report', run]);
  expect(await peakOf(reported)).toBeLessThan(MOST_BYTES);
  expect(await reported.ended).toMatchObject({ exitCode: 0, stderr: '' });
  expect(readFileSync(join(run, 'report.html'), 'utf8')).toContain('Steps 1 to 2,000,005 in');

  const viewed = startGanglion(['view', run, '--port', '0']);
  expect(await peakOf(viewed, /http:\S+/)).toBeLessThan(MOST_BYTES);
  const address = (await viewed.said(/http:\S+/))[0];
  const { last } = (await (await fetch(`${address}api/history?points=100`)).json()) as { last: number };
  expect(last).toBe(STEPS + 5);
  viewed.child.kill('SIGTERM');
  await viewed.ended;
});
