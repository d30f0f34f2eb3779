// A run's folder belongs to one process: other namespaces are no way around its lock, and one that was frozen and taken over ends.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import {
  ganglion,
  isInstalled,
  MAIN,
  oneTo,
  reached,
  scratchFolder,
  snapshot,
  start,
  startGanglion,
  stepsOf,
  succeed,
  summaryOf,
} from './ganglion.ts';

const scratch = scratchFolder('run-lock');
const SETTINGS = ['--workers', '1', '--batch', '32', '--shards', '4', '--latent', '16', '--metrics-port', 'off'];
const TRAIN = ['train', ...SETTINGS];
const LAST = 6;
const canUnshare = isInstalled('unshare', '-n', '-pf', '--mount-proc', 'true');

it.skipIf(!canUnshare).concurrent('another network or container is no way around the lock of a run', async () => {
  const run = scratch('shared');
  const running = startGanglion([...TRAIN, '--steps', '100000', '--run', run]);
  await reached(running, run, 1);
  const line = (where: string) => `ganglion: ${run} is in use by process ${running.pid}${where}\n`;
  const resume = [process.execPath, MAIN, 'train', '--resume', run];
  const refused = await start('unshare', ['-n', ...resume]).ended;
  expect(refused).toMatchObject({ exitCode: 1, stdout: '', stderr: line('') });
  const contained = await start('unshare', ['-pf', '--mount-proc', ...resume]).ended;
  expect(contained).toMatchObject({ exitCode: 1, stdout: '' });
  expect(contained.stderr).toMatch(new RegExp(`^${line(' of another container since \\S+Z')}$`));
  expect(await ganglion(['report', run])).toMatchObject({ exitCode: 1, stdout: '', stderr: line('') });
  running.child.kill('SIGTERM');
  expect((await running.ended).exitCode).toBe(0);
  expect(stepsOf(run)).toEqual(oneTo(summaryOf(run).step as number));
  await succeed(['report', run]);
});

it.concurrent('a process that was frozen, and taken over meanwhile, ends and changes nothing', async () => {
  const run = scratch('frozen');
  const first = startGanglion([...TRAIN, '--steps', '100000', '--checkpoint-every', '3', '--run', run]);
  await reached(first, run, 4);
  first.child.kill('SIGSTOP');
  await delay(10_500); // while it may have been touched a moment ago it is refused
  const checkpointed = 3 * Math.floor(stepsOf(run).length / 3);
  const last = String(checkpointed + LAST);
  const second = await ganglion(['train', '--resume', run, '--steps', last]);
  expect(second).toMatchObject({
    exitCode: 0,
    stderr: expect.stringMatching(/gives no sign of life; taking it over soon\n$/),
  });
  expect(second.seconds).toBeGreaterThan(8);
  const before = snapshot(run);
  first.child.kill('SIGCONT');
  const { exitCode, stderr } = await first.ended;
  expect({ exitCode, stderr }).toEqual({
    exitCode: 1,
    stderr: `ganglion: ${run} has lost its lock.json; this process writes nothing more there\n`,
  });
  await delay(500);
  expect(snapshot(run)).toEqual(before);
  expect(stepsOf(run)).toEqual(oneTo(Number(last)));
  expect(readFileSync(join(run, 'events.jsonl'), 'utf8')).toContain(`finished at step ${last} of ${last}`);
});
