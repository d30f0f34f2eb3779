// Ends of all kinds: asked for by a signal, or by a terminal that is closed, forced by a second SIGINT, by kill -9 at any moment, and by way of npm.
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { constants } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { randomWords } from '../../shared/random.ts';
import {
  checkpointPath,
  expectWhole,
  isInstalled,
  MAIN,
  oneTo,
  processesWith,
  type Running,
  reached,
  SMALL,
  scratchFolder,
  start,
  startGanglion,
  stepsOf,
  succeed,
  summaryOf,
} from './ganglion.ts';

const scratch = scratchFolder('signals');
const LAST = 40;
const RUN = ['train', ...SMALL, '--workers', '2', '--steps', String(LAST)] as const;
let expected: unknown;

beforeAll(async () => {
  await succeed([...RUN, '--run', scratch('whole')]);
  expected = summaryOf(scratch('whole')).stateSha256;
});

async function expectResumable(run: string): Promise<void> {
  await succeed(['train', '--resume', run, '--workers', '1']);
  expect(summaryOf(run)).toMatchObject({ step: LAST, stateSha256: expected, lostSteps: 0, repeatedSteps: 0 });
  expect(stepsOf(run)).toEqual(oneTo(LAST));
  await expectWhole(run);
}

/** Fails unless the run ended in order after the step in its summary, before its last. @returns that step */
function expectOrderlyEnd(run: string, stdout: string): number {
  const { step } = summaryOf(run);
  expect(step).toBeGreaterThan(0);
  expect(step).toBeLessThan(LAST);
  expect(stdout).toContain(`stopped at step ${step} of ${LAST}`);
  expect(stepsOf(run)).toEqual(oneTo(Number(step)));
  expect(existsSync(checkpointPath(run, Number(step)))).toBe(true);
  return Number(step);
}

describe.each([
  ['SIGINT', 0],
  ['SIGTERM', 0],
  ['SIGUSR1', 75], // without a word of Node's debugger on standard error
  ['SIGUSR2', 75],
  ['SIGXCPU', 75],
] as const)('%s', (signal, code) => {
  it(`finishes the step, writes its checkpoint and exits ${code}; the run can be resumed to the same state`, async () => {
    const run = scratch(signal);
    const running = startGanglion([...RUN, '--run', run]);
    await reached(running, run, 3);
    running.child.kill(signal);
    const { exitCode, stdout, stderr } = await running.ended;
    expect({ exitCode, stderr }).toEqual({ exitCode: code, stderr: '' });
    expect(stdout).toContain(`${signal}: finishing the step and writing a checkpoint`);
    expectOrderlyEnd(run, stdout);
    if (code === 0) await expectResumable(run); // what it leaves does not depend on the signal
  });
});

describe('SIGHUP', () => {
  it('stops nothing where standard output is no terminal', async () => {
    const run = scratch('hup');
    const running = startGanglion([...RUN, '--run', run]);
    await reached(running, run, 3);
    running.child.kill('SIGHUP');
    const { exitCode, stderr } = await running.ended;
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(summaryOf(run)).toMatchObject({ step: LAST, stateSha256: expected });
  });

  it.skipIf(!isInstalled('python3', '--version')).each([
    ['stops the run, as SIGTERM does', [], 75],
    ['leaves nohup alone', ['nohup'], 0],
  ])('of a terminal that is closed: %s', async (_, before, code) => {
    const run = scratch(`closed-${code}`);
    const command = [...before, process.execPath, MAIN, ...RUN, '--isolation', 'process', '--run', run];
    const terminal = fileURLToPath(new URL('../fixtures/closed-terminal.py', import.meta.url));
    const { exitCode, stdout, stderr } = await start(
      'python3',
      [terminal, join(run, 'metrics.jsonl'), ...command],
      { cwd: scratch() }, // nohup.out
    ).ended;
    expect({ exitCode, stdout, stderr }).toEqual({ exitCode: 0, stdout: `${code}\n`, stderr: '' });
    expect(summaryOf(run)).toMatchObject({ restarts: 0, lostSteps: 0 });
    if (code === 0) expect(summaryOf(run)).toMatchObject({ step: LAST, stateSha256: expected });
    else await expectResumable(run);
  });
});

describe('from the first moment', () => {
  /** Waits until a process takes a signal, which it may do before it has run a line of the program. */
  async function takes({ pid }: Running, signal: NodeJS.Signals): Promise<void> {
    const status = (): string => readFileSync(`/proc/${pid}/status`, 'utf8');
    const caught = (): bigint => BigInt(`0x${/^SigCgt:\s*([0-9a-f]+)$/m.exec(status())?.[1] ?? '0'}`);
    while (((caught() >> BigInt(constants.signals[signal] - 1)) & 1n) === 0n) await delay(1);
  }

  it.each(['SIGUSR1', 'SIGTERM'] as const)('%s while the program loads makes nothing', async (signal) => {
    const run = scratch(`loading-${signal}`);
    const running = startGanglion([...RUN, '--run', run, '--resume', 'auto']);
    await takes(running, 'SIGXCPU'); // the last that the program takes, before it loads the rest
    running.child.kill(signal);
    const { exitCode, stderr } = await running.ended;
    expect({ exitCode, stderr }).toEqual({ exitCode: 75, stderr: `ganglion: ${signal}: ended before the run began\n` });
    expect(existsSync(run)).toBe(false);
  });

  it('SIGUSR1 while Node.js starts, which opens its debugger, ends the run all the same', async () => {
    const run = scratch('starting');
    const running = startGanglion([...RUN, '--run', run]);
    await takes(running, 'SIGUSR1'); // Node.js does, for its debugger
    running.child.kill('SIGUSR1');
    const { exitCode, stderr } = await running.ended;
    expect(exitCode).toBe(75);
    expect(stderr).toMatch(/ganglion: SIGUSR1: ended before the run began\n$/);
    expect(existsSync(run)).toBe(false);
  });

  it('a debugger that was asked for stays', async () => {
    const running = start(process.execPath, ['--inspect=0', MAIN, ...RUN, '--run', scratch('inspected')]);
    const { exitCode, stderr } = await running.ended;
    expect(exitCode).toBe(0);
    expect(stderr).toMatch(/^Debugger listening on [^\n]+\n[^\n]+\n$/);
  });
});

it.each(['SIGUSR1', 'SIGTERM'] as const)('%s ends `view` in order', async (signal) => {
  const running = startGanglion(['view', scratch('whole'), '--port', '0']);
  await running.said(/http:/);
  running.child.kill('SIGHUP'); // no terminal: nothing
  await delay(100);
  running.child.kill(signal);
  expect(await running.ended).toMatchObject({ exitCode: 0, signal: null, stderr: '' });
});

it.each(['SIGUSR1', 'SIGTERM'] as const)(
  '%s ends a command that has nothing to finish, as a shell knows it',
  async (signal) => {
    const server = createServer(() => {}); // answers nothing
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const asked = once(server, 'request');
    const running = startGanglion(['data', '--output', scratch('mnist'), '--mirror', `http://127.0.0.1:${port}`]);
    await asked;
    running.child.kill(signal);
    expect(await running.ended).toMatchObject({ exitCode: null, signal, stderr: '' });
    server.closeAllConnections();
    server.close();
  },
);

it('a signal while the replicas start ends the run before its first step, with a checkpoint', async () => {
  const run = scratch('early');
  const running = startGanglion([...RUN, '--run', run]);
  while (!existsSync(run)) await delay(5);
  running.child.kill('SIGTERM');
  const { exitCode, stderr } = await running.ended;
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  expect(summaryOf(run)).toMatchObject({ step: 0, lostSteps: 0 });
  expect(existsSync(checkpointPath(run, 0))).toBe(true);
  await expectWhole(run);
});

describe('a second SIGINT', () => {
  /** A step of half a minute and more, of shards that take some tenths of a second. */
  const LONG_STEP = [
    ...['--batch', '8192', '--shards', '128', '--width', '3'],
    ...['--metrics-port', 'off', '--steps', '5', '--workers', '1'],
  ];

  it('stops at once with code 130, in the middle of a step', async () => {
    const run = scratch('forced');
    const running = startGanglion(['train', ...LONG_STEP, '--run', run]);
    await running.said(/training: /);
    running.child.kill('SIGINT');
    await running.said(/SIGINT: finishing the step/);
    await delay(100);
    const secondMs = performance.now();
    running.child.kill('SIGINT');
    const { exitCode, stderr } = await running.ended;
    expect({ exitCode, stderr }).toEqual({ exitCode: 130, stderr: '' });
    expect(performance.now() - secondMs).toBeLessThan(10_000);
    expect(existsSync(`${run}/summary.json`)).toBe(false);
    await expectWhole(run);
  });

  it('within half a second is, under npm, the same press of Ctrl-C: npm passes it on as well', async () => {
    const run = scratch('same-press');
    const env = { npm_lifecycle_event: 'train:distributed' };
    const running = startGanglion([...RUN, '--run', run], { env });
    await reached(running, run, 2);
    running.child.kill('SIGINT');
    running.child.kill('SIGINT');
    await delay(20);
    running.child.kill('SIGINT');
    const { exitCode, stdout } = await running.ended;
    expect(exitCode).toBe(0);
    expectOrderlyEnd(run, stdout);
  });
});

describe('kill -9', () => {
  it('at random moments, from the start on, loses no step and changes no weight', async () => {
    const run = scratch('killed');
    const words = randomWords({ seed: 7, stream: 'samples', time: 0, part: 0 }, 8);
    const random = (index: number, below: number): number => ((words[index] ?? 0) / 2 ** 32) * below;
    const kill = async (running: Running): Promise<void> => {
      running.child.kill('SIGKILL');
      expect((await running.ended).signal).toBe('SIGKILL');
    };

    const first = startGanglion([...RUN, '--checkpoint-every', '5', '--run', run]);
    while (!existsSync(checkpointPath(run, 0))) await delay(1);
    await delay(random(0, 200)); // before the first step
    await kill(first);
    for (const index of [1, 2, 3]) {
      const next = startGanglion(['train', '--resume', run]);
      const [, from] = await next.said(/resuming at step (\d+)/);
      await reached(next, run, Number(from) + 1 + Math.floor(random(index, 7)));
      await delay(random(index + 4, 40));
      await kill(next);
    }
    writeFileSync(
      `${run}/checkpoints/.step-00000042.safetensors.0badcafe.tmp`,
      'cut by a kill in the middle of a write',
    );
    await expectResumable(run);
  });
});

describe('npm run train:distributed', () => {
  /** Starts a run by npm and waits until it trains; its folder's name finds its processes. */
  async function startByNpm(run: string) {
    const args = ['run', '--silent', 'train:distributed', '--', ...RUN.slice(1), '--run', run];
    const running = start('npm', args, { detached: true });
    await reached(running, run, 3);
    const training = processesWith(run).filter((pid) => pid !== running.pid);
    expect(training.length).toBeGreaterThan(0);
    return running;
  }

  it('passes SIGTERM on: the run ends in order and leaves no process behind', async () => {
    const run = scratch('npm-sigterm');
    const running = await startByNpm(run);
    running.child.kill('SIGTERM');
    await once(running.child, 'exit');
    expect(processesWith(run)).toEqual([]);
    const { stdout, exitCode } = await running.ended;
    expect(exitCode).toBe(0);
    expectOrderlyEnd(run, stdout);
    await expectWhole(run);
  });

  it('takes one Ctrl-C, which reaches npm and the run alike, for one', async () => {
    const run = scratch('npm-sigint');
    const running = await startByNpm(run);
    process.kill(-running.pid, 'SIGINT');
    await once(running.child, 'exit');
    expect(processesWith(run)).toEqual([]);
    const { stdout, exitCode } = await running.ended;
    expect(exitCode).toBe(0);
    expectOrderlyEnd(run, stdout);
    await expectWhole(run);
  });
});
