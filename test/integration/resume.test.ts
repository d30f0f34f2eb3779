// A run goes on where it was, on any number of workers, and only as the same run.
import { appendFileSync, cpSync, existsSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  checkpointPath,
  expectWhole,
  FULL_MNIST,
  filesBelow,
  ganglion,
  oneTo,
  SMALL,
  scratchFolder,
  snapshot,
  stepsOf,
  succeed,
  summaryOf,
} from './ganglion.ts';

const scratch = scratchFolder('resume');
const LAST = 12;
const HALF = 6;
let expected: unknown;

beforeAll(async () => {
  const every = ['--checkpoint-every', '2'];
  await Promise.all([
    succeed(['train', ...SMALL, ...every, '--workers', '2', '--steps', String(LAST), '--run', scratch('whole')]),
    succeed(['train', ...SMALL, ...every, '--workers', '2', '--steps', String(HALF), '--run', scratch('half')]),
  ]);
  expected = summaryOf(scratch('whole')).stateSha256;
});

/** A copy of the run that ended at step 6, with checkpoints of steps 0, 2, 4 and 6. */
function halfRun(name: string): string {
  const run = scratch(name);
  cpSync(scratch('half'), run, { recursive: true });
  return run;
}

function flipByte(path: string, at: number): void {
  const bytes = readFileSync(path);
  const index = Math.floor(bytes.length * at);
  bytes.writeUInt8(bytes.readUInt8(index) ^ 1, index);
  writeFileSync(path, bytes);
}

function replaceText(path: string, from: string, to: string): void {
  const text = readFileSync(path, 'latin1');
  expect(text).toContain(from);
  writeFileSync(path, text.replace(from, to), 'latin1');
}

async function resume(run: string, ...args: string[]) {
  return ganglion(['train', '--resume', run, '--steps', String(LAST), ...args]);
}

function expectSameEnd(run: string): void {
  expect(summaryOf(run)).toMatchObject({ step: LAST, stateSha256: expected, lostSteps: 0, repeatedSteps: 0 });
  expect(stepsOf(run)).toEqual(oneTo(LAST));
}

it('resumes with more and with fewer workers to the state of a run that was never stopped', async () => {
  const more = halfRun('more');
  const fewer = halfRun('fewer');
  const ends = await Promise.all([resume(more, '--workers', '4'), resume(fewer, '--workers', '1')]);
  for (const { exitCode, stderr, stdout } of ends) {
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toContain(`resuming at step ${HALF}`);
  }
  expectSameEnd(more);
  expectSameEnd(fewer);
  expect([summaryOf(more).workers, summaryOf(fewer).workers]).toEqual([4, 1]);
});

it('drops the records of steps after the checkpoint, and half a record, and computes those steps again', async () => {
  const run = halfRun('records');
  rmSync(checkpointPath(run, 6));
  appendFileSync(join(run, 'metrics.jsonl'), '{"step":7,"epoch":0}\n{"step":8,"ep');
  const { exitCode, stdout } = await resume(run);
  expect(exitCode).toBe(0);
  expect(stdout).toContain('resuming at step 4');
  expectSameEnd(run);
});

it('keeps the newest checkpoints that verify, when it is told how many', async () => {
  const run = halfRun('keep');
  flipByte(checkpointPath(run, 4), 0.5);
  const { exitCode, stderr } = await resume(run, '--keep', '3', '--steps', '8');
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  const left = () => filesBelow(join(run, 'checkpoints'));
  expect(left()).toEqual([2, 4, 6, 8].map((step) => basename(checkpointPath(run, step)))); // the broken one does not count
  expect((await resume(run)).exitCode).toBe(0); // its config says so, too
  expect(left()).toEqual([8, 10, 12].map((step) => basename(checkpointPath(run, step))));
  expectSameEnd(run);
});

describe('a broken newest checkpoint', () => {
  const NAMED = /^ganglion: \S*step-00000006\.safetensors.*; using the previous one\n$/;
  const breakages: [name: string, breakFile: (path: string) => void, resumed?: 'resumed'][] = [
    ['truncated', (path) => truncateSync(path, 1_000_000), 'resumed'],
    ['cut inside its header', (path) => truncateSync(path, 100)],
    ['empty', (path) => truncateSync(path, 0)],
    ['altered by one bit of a tensor', (path) => flipByte(path, 0.6), 'resumed'],
    ['altered by its last bit', (path) => flipByte(path, 1 - 1e-9)],
    ['altered by one bit of its header', (path) => flipByte(path, 0.0005)],
    ['altered by one digit of its config', (path) => replaceText(path, '0.0002', '0.0003')],
  ];

  it.each(breakages)('%s, is named', async (name, breakFile) => {
    const run = halfRun(name.replaceAll(' ', '-'));
    breakFile(checkpointPath(run, 6));
    const { exitCode, stderr } = await resume(run, '--dry-run');
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: expect.stringMatching(NAMED) });
  });

  it.each(breakages.filter(([, , resumed]) => resumed))('%s, gives way to the one before', async (name, breakFile) => {
    const run = halfRun(`resumed-${name.replaceAll(' ', '-')}`);
    breakFile(checkpointPath(run, 6));
    const { exitCode, stderr, stdout } = await resume(run, '--workers', '1');
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: expect.stringMatching(NAMED) });
    expect(stdout).toContain('resuming at step 4');
    expectSameEnd(run);
    await expectWhole(run);
  });
});

it('refuses in one line when no checkpoint is valid', async () => {
  const run = halfRun('none-valid');
  for (const step of [0, 2, 4, 6]) flipByte(checkpointPath(run, step), 0.5);
  const before = snapshot(run);
  const { exitCode, stderr, stdout } = await resume(run);
  expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
  expect(stderr).toMatch(/^ganglion: .*expected a valid checkpoint, got 4 invalid; the newest: .*step-00000006.*\n$/);
  expect(stderr.trimEnd().split('\n')).toHaveLength(1);
  expect(snapshot(run)).toEqual(before);
});

it('says that a finished run is finished, and how to go further', async () => {
  const run = halfRun('finished');
  const before = snapshot(run);
  const { exitCode, stderr } = await ganglion(['train', '--resume', run]);
  expect(exitCode).toBe(2);
  expect(stderr).toMatch(/^ganglion: .* is at step 6 of 6; go further with --steps or --epochs\n$/);
  expect(snapshot(run)).toEqual(before);
});

describe('another model, data or optimiser', () => {
  const changes: [args: string[], named: RegExp[]][] = [
    [
      ['--batch', '32', '--latent', '8', '--lr', '0.001'],
      [/--batch 32 \(the run has 16\)/, /--latent 8 \(the run has 100\)/, /--lr 0\.001 \(the run has 0\.0002\)/],
    ],
    [
      ['--shards', '2', '--seed', '8', '--beta1', '0.9', '--beta2', '0.99', '--epsilon', '1e-7'],
      [/--shards 2/, /--seed 8/, /--beta1 0\.9 \(the run has 0\.5\)/, /--beta2 0\.99 /, /--epsilon 1e-7/],
    ],
  ];
  if (existsSync(FULL_MNIST)) {
    changes.push([
      ['--data', FULL_MNIST, '--batch', '32'],
      [/--data: .*SHA-256 [0-9a-f]{12}/, /--batch 32/],
    ]);
  }

  it.concurrent.each(changes)('%j is refused, every difference named, the folder untouched', async (args, named) => {
    const run = halfRun(`changed-${args[0]}-${args[2]}`);
    const before = snapshot(run);
    const { exitCode, stderr, stdout } = await resume(run, ...args);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    for (const pattern of named) expect(stderr).toMatch(pattern);
    expect(stderr.match(/another /g)).toHaveLength(named.length);
    expect(snapshot(run)).toEqual(before);
  });

  it('in a config file is refused too', async () => {
    const run = halfRun('changed-file');
    writeFileSync(scratch('other.json'), JSON.stringify({ latent: 8, beta1: 0.9 }));
    const { exitCode, stderr } = await resume(run, '--config', scratch('other.json'));
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/^ganglion: cannot resume with another --latent 8 .*; another --beta1 0\.9 .*\n$/);
  });
});

it('refuses --run that names another folder than --resume', async () => {
  const { exitCode, stderr } = await resume(scratch('half'), '--run', scratch('elsewhere'));
  expect(exitCode).toBe(2);
  expect(stderr).toMatch(/^ganglion: --resume .*; --run .* names another\n$/);
});
