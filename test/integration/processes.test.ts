// Replicas in processes of their own: the same weights as in threads, also when the processes are killed or frozen, and no process
// left behind, however the coordinator ends. All by real signals.
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  expectWhole,
  isRunning,
  processesWith,
  type Running,
  reached,
  SMALL,
  scratchFolder,
  start,
  startGanglion,
  succeed,
  summaryOf,
} from './ganglion.ts';

const scratch = scratchFolder('processes');
const STUCK = fileURLToPath(new URL('../fixtures/stuck-process.mjs', import.meta.url));
const STEPS = 16;
const FULL = ['--seed', '7', '--metrics-port', 'off', '--steps', String(STEPS)];
const ENDLESS = [...SMALL, '--steps', '100000', '--isolation', 'process', '--workers', '2'];
/** A frozen process is found after 2 s, a coordinator that is gone within a heartbeat. */
const SOON = { timeout: 30_000, interval: 20 };

/** Processes whose parent is this one. */
function childrenOf(parent: number): number[] {
  const path = `/proc/${parent}/task/${parent}/children`;
  return readFileSync(path, 'utf8').trim().split(' ').filter(Boolean).map(Number);
}

async function startEndless(name: string): Promise<{ running: Running; run: string; children: number[] }> {
  const run = scratch(name);
  const running = startGanglion(['train', ...ENDLESS, '--run', run], { detached: true });
  await reached(running, run, 3);
  const children = childrenOf(running.pid);
  expect(children).toHaveLength(2);
  return { running, run, children };
}

async function hashOf(name: string, ...args: string[]): Promise<unknown> {
  await succeed(['train', ...args, '--run', scratch(name)]);
  return summaryOf(scratch(name)).stateSha256;
}

describe(`${STEPS} steps at full size`, () => {
  let expected: unknown;
  beforeAll(async () => {
    expected = await hashOf('threads', ...FULL, '--workers', '2', '--isolation', 'thread');
  });

  it.each(['1', '2'])('give the state of threads with processes and %s workers', async (workers) => {
    expect(await hashOf(`process-${workers}`, ...FULL, '--isolation', 'process', '--workers', workers)).toBe(expected);
  });

  it('give it when begun in threads and ended in processes', async () => {
    const run = scratch('changed');
    await succeed(['train', ...FULL, '--steps', '7', '--isolation', 'thread', '--run', run]);
    await succeed(['train', '--resume', run, '--steps', String(STEPS), '--isolation', 'process']);
    expect(summaryOf(run).stateSha256).toBe(expected);
  });

  it('give it when a process is killed', async () => {
    const run = scratch('killed');
    const running = startGanglion(['train', ...FULL, '--isolation', 'process', '--workers', '2', '--run', run]);
    await reached(running, run, 2);
    const [killed = 0] = childrenOf(running.pid);
    process.kill(killed, 'SIGKILL');
    const { exitCode, stdout, stderr } = await running.ended;
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toMatch(/replica [01] failed on step \d+, .*: was ended by SIGKILL/);
    expect(summaryOf(run)).toMatchObject({ stateSha256: expected, restarts: 1, lostSteps: 0, repeatedSteps: 0 });
  });
});

it('a frozen process is found and replaced while the other one goes on, and changes no weight', async () => {
  const small = [...SMALL, '--steps', '200'];
  const expected = await hashOf('small', ...small, '--workers', '2');
  const run = scratch('frozen');
  const running = startGanglion(['train', ...small, '--isolation', 'process', '--workers', '2', '--run', run]);
  await reached(running, run, 3);
  const [frozen = 0] = childrenOf(running.pid);
  process.kill(frozen, 'SIGSTOP');
  const { exitCode, stdout, stderr } = await running.ended;
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  expect(stdout).toMatch(/replica [01] failed on step \d+, .*: gave no sign of life for 2\.25 s/);
  expect(summaryOf(run)).toMatchObject({ stateSha256: expected, restarts: 1, lostSteps: 0, repeatedSteps: 0 });
  expect(isRunning(frozen)).toBe(false);
});

describe('no process is left', () => {
  it.each([
    ['SIGINT', 0],
    ['SIGTERM', 0],
    ['SIGUSR1', 75],
    ['SIGUSR2', 75],
  ] as const)('by a %s to the whole group: no replica is lost', async (signal, code) => {
    const { running, run, children } = await startEndless(signal);
    process.kill(-running.pid, 'SIGHUP'); // without a terminal it stops nothing
    await delay(100);
    process.kill(-running.pid, signal);
    const { exitCode, stdout, stderr } = await running.ended;
    expect({ exitCode, stderr }).toEqual({ exitCode: code, stderr: '' });
    expect(stdout).not.toContain('failed');
    expect(summaryOf(run)).toMatchObject({ restarts: 0 });
    expect(children.map(isRunning)).toEqual([false, false]);
    await expectWhole(run);
  });

  it.each([
    ['SIGINT', 0],
    ['SIGTERM', 0],
    ['SIGUSR1', 75],
  ] as const)('by a %s while the processes start', async (signal, code) => {
    const run = scratch(`early-${signal}`);
    const running = startGanglion(['train', ...ENDLESS, '--run', run], { detached: true });
    const children = (): number[] =>
      childrenOf(running.pid).filter((pid) => processesWith('process-entry').includes(pid));
    while (children().length === 0) await delay(1); // it has not run a line of its own yet
    process.kill(-running.pid, signal);
    const { exitCode, stderr } = await running.ended;
    // Node.js, where it is still starting itself, says so before any program can close it (docs/unattended.md).
    const said = stderr.replace(/^Debugger listening on .*\nFor help, see: .*\n/gm, '');
    expect({ exitCode, said }).toEqual({ exitCode: code, said: '' });
    await expectWhole(run);
  });

  it('by kill -9 of the coordinator', async () => {
    const { running, children } = await startEndless('orphans');
    process.kill(running.pid, 'SIGKILL');
    await expect.poll(() => children.map(isRunning), SOON).toEqual([false, false]);
  });

  it('by kill -9 of the coordinator while one is inside a call that never returns', async () => {
    const running = start(process.execPath, [STUCK]);
    const [, pid] = await running.said(/pid (\d+)\n/);
    expect(isRunning(Number(pid))).toBe(true);
    process.kill(running.pid, 'SIGKILL');
    await expect.poll(() => isRunning(Number(pid)), SOON).toBe(false);
  });

  it('by kill -9 of the coordinator while one is frozen, once that one goes on', async () => {
    const { running, children } = await startEndless('frozen-orphan');
    const [frozen = 0, other = 0] = children;
    process.kill(frozen, 'SIGSTOP');
    process.kill(running.pid, 'SIGKILL');
    await expect.poll(() => isRunning(other), SOON).toBe(false);
    if (isRunning(frozen)) process.kill(frozen, 'SIGCONT');
    await expect.poll(() => isRunning(frozen), SOON).toBe(false);
  });

  it('when the coordinator itself is frozen for longer than a heartbeat: it goes on with the same replicas', async () => {
    const { running, run, children } = await startEndless('frozen-coordinator');
    process.kill(running.pid, 'SIGSTOP');
    await delay(3_000);
    process.kill(running.pid, 'SIGCONT');
    await delay(500);
    running.child.kill('SIGTERM');
    const { exitCode, stdout } = await running.ended;
    expect(exitCode).toBe(0);
    expect(stdout).not.toContain('failed');
    expect(summaryOf(run)).toMatchObject({ restarts: 0 });
    expect(children.map(isRunning)).toEqual([false, false]);
  });
});
