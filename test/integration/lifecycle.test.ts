// A run folder from any state in which a process can leave it to a whole run, and by one process at a time.
import { spawn } from 'node:child_process';
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { hasTensorflow } from '../unit/workers/engines/tensorflow/ready.ts';
import {
  checkpointPath,
  cleanEnvironment,
  type Ended,
  expectWhole,
  ganglion,
  MAIN,
  oneTo,
  reached,
  SMALL,
  scratchFolder,
  snapshot,
  start,
  startGanglion,
  stepsOf,
  succeed,
  summaryOf,
} from './ganglion.ts';

const scratch = scratchFolder('lifecycle');
const LAST = 6;
const TRAIN = ['train', ...SMALL, '--workers', '1', '--steps', String(LAST)] as const;
let expected: unknown;

beforeAll(async () => {
  await succeed([...TRAIN, '--checkpoint-every', '3', '--run', scratch('whole')]);
  expected = summaryOf(scratch('whole')).stateSha256;
});

function copyOfWhole(name: string): string {
  const run = scratch(name);
  cpSync(scratch('whole'), run, { recursive: true });
  return run;
}

/** What a process leaves that ends before its first checkpoint. */
function unbegun(name: string): string {
  const run = copyOfWhole(name);
  for (const file of readdirSync(join(run, 'checkpoints'))) rmSync(join(run, 'checkpoints', file));
  for (const file of readdirSync(join(run, 'samples'))) rmSync(join(run, 'samples', file));
  const later = readdirSync(run).filter((file) => /^(metrics|summary|report|events\.out\.)/.test(file));
  for (const file of later) rmSync(join(run, file));
  writeFileSync(join(run, 'checkpoints', '.step-00000000.safetensors.00ff.tmp'), 'half');
  writeFileSync(join(run, '.config.json.00ff.tmp'), 'half');
  return run;
}

async function expectSameEnd(run: string): Promise<void> {
  expect(summaryOf(run)).toMatchObject({ step: LAST, stateSha256: expected, lostSteps: 0, repeatedSteps: 0 });
  expect(stepsOf(run)).toEqual(oneTo(LAST));
  expect(existsSync(join(run, 'samples', 'real.png'))).toBe(true);
  await expectWhole(run);
}

function expectOneLine({ exitCode, stderr }: Ended, code: 1 | 2, line: RegExp): void {
  expect({ exitCode, stderr }).toEqual({ exitCode: code, stderr: expect.stringMatching(line) });
  expect(stderr).toMatch(/^ganglion: [^\n]+\n$/);
}

// Of V8, of Node.js for a whole process, and for a thread: node takes the first two for no thread.
it.each(['thread', 'process'])("flags of node's own change nothing: replicas in a %s", async (isolation) => {
  const flags = ['--max-old-space-size=4096', '--stack-size=900', '--trace-uncaught', '--enable-source-maps'];
  const run = scratch(`flags-${isolation}`);
  const args = [...flags, MAIN, ...TRAIN, '--isolation', isolation, '--run', run];
  const { exitCode, stderr } = await start(process.execPath, args).ended;
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  await expectSameEnd(run);
});

describe('a run that ended before its first checkpoint', () => {
  it('goes on by --resume, with its own settings', async () => {
    const run = unbegun('unbegun-resume');
    expect(await succeed(['train', '--resume', run])).toContain('resuming at step 0');
    await expectSameEnd(run);
  });

  it('begins anew by --run', async () => {
    const run = unbegun('unbegun-run');
    await succeed([...TRAIN, '--run', run]);
    await expectSameEnd(run);
  });

  it('has nothing to go on with when not even its config is there', async () => {
    const run = unbegun('no-config');
    rmSync(join(run, 'config.json'));
    expectOneLine(await ganglion(['train', '--resume', run]), 2, /expected a valid checkpoint, got no checkpoint/);
  });
});

describe('a run killed between its last checkpoint and its summary', () => {
  it.each(['no summary', 'the summary of an earlier end', 'half a summary'])('%s: --resume ends it', async (left) => {
    const run = copyOfWhole(left.replaceAll(' ', '-'));
    const summary = join(run, 'summary.json');
    if (left.startsWith('no')) rmSync(summary);
    else writeFileSync(summary, left.startsWith('half') ? '{"step":6' : JSON.stringify({ step: 3, stateSha256: 'x' }));
    appendFileSync(join(run, 'metrics.jsonl'), '{"step":7,"epoch":0}\n{"st');
    expect(await succeed(['train', '--resume', run])).toContain(`finished at step ${LAST} of ${LAST}`);
    await expectSameEnd(run);
    expectOneLine(await ganglion(['train', '--resume', run]), 2, /is at step 6 of 6; go further with/);
  });

  it('is refused when it is asked for fewer steps than it has', async () => {
    const run = copyOfWhole('beyond');
    rmSync(join(run, 'summary.json'));
    expectOneLine(await ganglion(['train', '--resume', run, '--steps', '5']), 2, /is at step 6 of 5; go further/);
  });
});

it('a summary goes when its run goes on', async () => {
  const run = copyOfWhole('goes-on');
  const running = startGanglion(['train', '--resume', run, '--steps', '500']);
  await reached(running, run, 7);
  expect(existsSync(join(run, 'summary.json'))).toBe(false);
  running.child.kill('SIGKILL');
  await running.ended;
});

it('a run belongs to one process, and to the next at once after kill -9', async () => {
  const run = scratch('shared');
  const running = startGanglion([...TRAIN, '--steps', '500', '--run', run]);
  await reached(running, run, 1);
  const line = new RegExp(`${run} is in use by process ${running.pid}\n`);
  const others = [
    ['train', '--resume', run],
    [...TRAIN, '--run', run],
  ];
  for (const args of others) expectOneLine(await ganglion(args), 1, line);
  running.child.kill('SIGKILL');
  await succeed(['train', '--resume', run, '--steps', String(LAST)]);
  await expectSameEnd(run);
});

it.each(['SIGINT', 'SIGTERM'] as const)(
  '%s during the check before a run ends it as a shell expects',
  async (signal) => {
    // Without kernels there is a check, in a process of its own.
    const running = startGanglion([...TRAIN, '--run', scratch(signal)], { env: { GANGLION_KERNELS: 'off' } });
    const children = () => readFileSync(`/proc/${running.pid}/task/${running.pid}/children`, 'utf8');
    while (children() === '') await delay(1);
    running.child.kill(signal);
    expect((await running.ended).exitCode).toBe(128 + constants.signals[signal]);
    expect(existsSync(scratch(signal))).toBe(false);
  },
);

/** Runs a command whose reader goes away after the first bytes, or before any. */
function closedEarly(args: readonly string[], afterData: boolean): Promise<{ code: number | null; stderr: string }> {
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: cleanEnvironment(),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stderr = '';
  child.stderr.on('data', (text) => {
    stderr += text;
  });
  if (afterData) child.stdout.once('data', () => child.stdout.destroy());
  else child.stdout.destroy();
  return new Promise((done) => child.on('close', (code) => done({ code, stderr })));
}

it('a reader that ends first, as head does, stops nothing', async () => {
  const run = scratch('head');
  expect(await closedEarly(['inspect', scratch('whole')], false)).toEqual({ code: 0, stderr: '' });
  expect(await closedEarly([...TRAIN, '--run', run], true)).toEqual({ code: 0, stderr: '' });
  await expectSameEnd(run);
});

describe('inspect', () => {
  it('of a run with an invalid checkpoint prints what there is and ends with 2', async () => {
    const run = copyOfWhole('invalid');
    writeFileSync(checkpointPath(run, 3), 'x');
    const ended = await ganglion(['inspect', run]);
    expectOneLine(ended, 2, /1 of 3 checkpoints invalid/);
    expect(ended.stdout).toMatch(/INVALID .*step-00000003/);
    expect(ended.stdout).toMatch(/step-00000006\.safetensors: valid/);
  });

  it.each([
    ['below a file', () => join(scratch('whole'), 'config.json', 'x'), /cannot read .*: not a directory/],
    ['too long', () => scratch('x'.repeat(300)), /cannot read .*: name too long/],
    ['with a line break in it', () => scratch('a\nb'), /expected a checkpoint or a run folder, got nothing there/],
  ])('of a path %s is one line', async (_, path, line) => {
    expectOneLine(await ganglion(['inspect', path()]), 2, line);
  });
});

describe('folders', () => {
  it('a missing run folder is called missing', async () => {
    for (const args of [
      ['train', '--resume'],
      ['sample', '--run'],
    ]) {
      expectOneLine(await ganglion([...args, scratch('none')]), 2, /none: no such folder\n$/);
    }
  });

  it('a run folder in use for something else is refused before set-up', async () => {
    mkdirSync(scratch('taken', 'samples'), { recursive: true });
    const env = { GANGLION_CACHE: scratch('no-cache'), PATH: '' };
    const ended = await ganglion([...TRAIN, '--run', scratch('taken')], { env });
    expectOneLine(ended, 2, /--run .*taken: expected a new or empty folder, got 1 entries/);
    expect(existsSync(scratch('no-cache'))).toBe(false);
  });

  // TensorFlow's programs pass it
  it.skipIf(!hasTensorflow)('a temporary folder that is none is named', async () => {
    const env = { TMPDIR: scratch('no-tmpdir') };
    const ended = await ganglion([...TRAIN, '--backend', 'tensorflow', '--run', scratch('no-tmp')], { env });
    expectOneLine(ended, 1, /cannot write to the temporary folder .*no-tmpdir \(ENOENT\); set TMPDIR/);
  });

  it('doctor names the cache folder', async () => {
    const { stdout } = await ganglion(['doctor'], { env: { GANGLION_CACHE: scratch('no-cache') } });
    expect(stdout).toMatch(new RegExp(`^cache +${scratch('no-cache')}$`, 'm'));
  });
});

describe('settings', () => {
  it("a run's config.json is a config file for another run", async () => {
    const config = join(scratch('whole'), 'config.json');
    const { chosenBackend, ...stored } = JSON.parse(readFileSync(config, 'utf8'));
    expect(chosenBackend).toBe('cpu'); // what ran is no setting
    const planned = await succeed(['train', '--config', config, '--dry-run'], { cwd: scratch() });
    expect(JSON.parse(planned)).toEqual({
      ...stored,
      totalSteps: LAST,
      run: expect.stringMatching(/\/runs\/.*-seed7$/),
    });
  });

  it('a config file with another run is refused by --resume like --run', async () => {
    const before = snapshot(scratch('whole'));
    const config = scratch('other.json');
    writeFileSync(config, JSON.stringify({ run: scratch('other') }));
    const ended = await ganglion(['train', '--resume', scratch('whole'), '--steps', '7', '--config', config]);
    expectOneLine(
      ended,
      2,
      /--resume .*whole resumes the run in that folder; .*other\.json: run .*other names another\n$/,
    );
    expect(snapshot(scratch('whole'))).toEqual(before);
  });

  it.each([
    [['--count', '65537'], /Expected a whole number from 1 to 65536/],
    [['--count', '4097', '--batch-statistics'], /--batch-statistics: expected --count from 2 to 4096, got 4097/],
  ])('sample %j is refused', async (args, line) => {
    expectOneLine(await ganglion(['sample', '--run', scratch('whole'), ...args]), 2, line);
  });
});
