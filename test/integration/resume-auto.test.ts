// One command that begins a run, or goes on with it: what a scheduler or a service manager runs again and again.
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { beforeAll, expect, it } from 'vitest';
import {
  ganglion,
  oneTo,
  reached,
  SMALL,
  scratchFolder,
  snapshot,
  startGanglion,
  stepsOf,
  succeed,
  summaryOf,
} from './ganglion.ts';

const scratch = scratchFolder('resume-auto');
const LAST = 30;
const train = (run: string, ...more: string[]): string[] => [
  ...['train', ...SMALL, '--workers', '1', '--steps', String(LAST), '--run', run, '--resume', 'auto'],
  ...more,
];
let expected: unknown;

beforeAll(async () => {
  expect(await succeed(train(scratch('whole')))).toContain('training: ');
  expected = summaryOf(scratch('whole')).stateSha256;
});

function expectWholeRun(run: string): void {
  expect(summaryOf(run)).toMatchObject({ step: LAST, stateSha256: expected, lostSteps: 0, repeatedSteps: 0 });
  expect(stepsOf(run)).toEqual(oneTo(LAST));
}

it.each(['SIGTERM'] as const)(
  'stopped by %s exits 75, which asks for the same command again: it goes on, and then there is nothing left to do',
  async (signal) => {
    const run = scratch(signal);
    const running = startGanglion(train(run));
    await reached(running, run, 3);
    running.child.kill(signal);
    const { exitCode, stderr } = await running.ended;
    expect({ exitCode, stderr }).toEqual({ exitCode: 75, stderr: '' });
    expect(await succeed(train(run))).toMatch(/^resuming at step \d+: /);
    expectWholeRun(run);
    const before = snapshot(run);
    const path = run.replaceAll('.', '\\.');
    expect(await succeed(train(run))).toMatch(
      new RegExp(`^finished: ${path} is at step ${LAST} of ${LAST}; go further with --steps or --epochs\n$`),
    );
    expect(snapshot(run)).toEqual(before);
  },
);

it('goes on after kill -9, and past the end when it is asked for more steps', async () => {
  const run = scratch('killed');
  const running = startGanglion(train(run, '--checkpoint-every', '3'));
  await reached(running, run, 5);
  running.child.kill('SIGKILL');
  await running.ended;
  expect(await succeed(train(run))).toContain('resuming at step ');
  expectWholeRun(run);
  expect(await succeed(train(run, '--steps', String(LAST + 1)))).toContain(`finished at step ${LAST + 1}`);
});

it('begins again when the run was killed before its first checkpoint, with the settings of the command', async () => {
  const run = scratch('unbegun');
  cpSync(scratch('whole'), run, { recursive: true });
  for (const name of readdirSync(run)) {
    if (name !== 'config.json') rmSync(join(run, name), { recursive: true });
  }
  await expectRefusal([...train(run)], /expected a new or empty folder, got 1 entries/); // may be anybody's
  mkdirSync(join(run, 'checkpoints'));
  writeFileSync(join(run, 'checkpoints', '.step-00000000.safetensors.00ff.tmp'), 'half');
  expect(await succeed(train(run, '--seed', '8', '--steps', '1'))).toContain('training: ');
  expect(summaryOf(run)).toMatchObject({ step: 1 });
});

async function expectRefusal(args: readonly string[], line: RegExp): Promise<void> {
  const { exitCode, stderr } = await ganglion(args);
  expect({ exitCode, stderr }).toEqual({ exitCode: 2, stderr: expect.stringMatching(line) });
  expect(stderr).toMatch(/^ganglion: [^\n]+\n$/);
}

it('refuses what --resume refuses, and leaves the run alone', async () => {
  const run = scratch('whole');
  const before = snapshot(run);
  await expectRefusal(train(run, '--lr', '0.1'), /cannot resume with another --lr 0\.1 \(the run has 0\.0002\)/);
  await expectRefusal(train(run, '--steps', '5'), /is at step 30 of 5; go further/);
  await expectRefusal(['train', '--resume', 'auto'], /--resume auto: expected the run's folder \(--run DIR\) with it/);
  writeFileSync(scratch('file'), '');
  await expectRefusal(train(scratch('file')), /file.*: not a directory/);
  expect(snapshot(run)).toEqual(before);
});

it('stopped before the run has begun exits 75, too, and has made nothing', async () => {
  const run = scratch('early');
  // Without kernels there is a check before the run, in a process of its own.
  const running = startGanglion(train(run), { env: { GANGLION_KERNELS: 'off' } });
  const children = `/proc/${running.pid}/task/${running.pid}/children`;
  while (readFileSync(children, 'utf8') === '') await delay(1);
  running.child.kill('SIGTERM');
  const { exitCode, stderr } = await running.ended;
  expect(exitCode).toBe(75);
  expect(stderr).toContain('SIGTERM: ended before the run began');
  expect(existsSync(run)).toBe(false);
});
