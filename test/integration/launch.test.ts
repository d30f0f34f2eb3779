// `ganglion launch` with a stand-in for mpirun: what it starts, how it judges, what it makes of signals, and that nothing stays behind.
import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import {
  type Ended,
  isInstalled,
  isRunning,
  REPOSITORY,
  type Running,
  scratchFolder,
  start,
  startGanglion,
} from './ganglion.ts';

const scratch = scratchFolder('launch');
const RUN = '/runs/a';
const BEGUN = { kind: 'begun', run: RUN };
const ended = (rank: number, exitCode: number) => ({ kind: 'ended', rank, exitCode });

interface Scene {
  readonly records?: readonly object[];
  readonly text?: string;
  readonly exitCode?: number;
  readonly waits?: boolean;
  readonly leaves?: boolean;
  readonly onStop?: readonly object[];
  readonly isDeaf?: boolean;
}

/** An installation of Open MPI, by its looks. */
const LIBMPI = ((): string => {
  for (const folder of ['mpi/bin', 'mpi/lib']) mkdirSync(scratch(folder), { recursive: true });
  symlinkSync(fileURLToPath(new URL('../fixtures/mpirun.mjs', import.meta.url)), scratch('mpi/bin/mpirun'));
  writeFileSync(scratch('mpi/lib/libmpi.so.40'), '');
  return scratch('mpi/lib/libmpi.so.40');
})();
let plays = 0;

/** What mpirun was asked for, in order. */
interface Played {
  readonly running: Running;
  notes(): { readonly pid?: number; readonly rank?: number; readonly args?: string[]; readonly signal?: string }[];
}

function play(scenes: readonly Scene[], args: readonly string[], env: NodeJS.ProcessEnv = {}): Played {
  plays += 1;
  const [file, starts] = [scratch(`${plays}.json`), scratch(`${plays}.jsonl`)];
  writeFileSync(file, JSON.stringify({ starts, scenes }));
  const given = { GANGLION_LIBMPI: LIBMPI, FAKE_MPIRUN: file, ...env };
  const running = startGanglion(['launch', ...args], { env: given });
  const notes = () =>
    readFileSync(starts, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
  return { running, notes };
}

/** Arguments of every mpirun behind the program of the ranks, and those before it. */
function startsOf({ notes }: Played): { readonly before: string; readonly train: string }[] {
  return notes().flatMap(({ args }) => {
    if (!args) return [];
    const at = args.indexOf(process.execPath);
    return [{ before: args.slice(0, at).join(' '), train: args.slice(at + 2).join(' ') }];
  });
}

const codeAndError = ({ exitCode, stderr }: Ended) => ({ exitCode, stderr });

describe('judges by what ranks tell, never by the exit code of mpirun', () => {
  it.each<[string, Scene, number]>([
    ['the last step', { records: [BEGUN, ended(1, 0), ended(0, 0)], exitCode: 1 }, 0],
    ['a mistake', { records: [ended(1, 2), ended(0, 2)] }, 2],
    ['too many faults', { records: [BEGUN, ended(0, 3)] }, 3],
    ['a stop', { records: [BEGUN, ended(0, 75)] }, 75],
    ['a death of node 0 that others survived', { records: [BEGUN, ended(2, 0), ended(1, 0)], exitCode: 137 }, 0],
  ])('%s', async (_, scene, exitCode) => {
    const played = play([scene], ['-n', '3', 'train', '--run', RUN]);
    expect(codeAndError(await played.running.ended)).toEqual({ exitCode, stderr: '' });
    expect(startsOf(played)).toHaveLength(1);
  });

  it('passes on what is no record, as it comes', async () => {
    const { running } = play([{ text: 'a\r\u001b[Kb\n', records: [BEGUN, ended(0, 0)] }], ['-n', '1', 'train']);
    expect((await running.ended).stdout).toBe('a\r\u001b[Kb\n');
  });

  it.skipIf(process.platform !== 'linux')('leaves nobody behind who holds the output open', async () => {
    const played = play([{ records: [BEGUN, ended(0, 0)], leaves: true }], ['-n', '1', 'train']);
    expect(codeAndError(await played.running.ended)).toEqual({ exitCode: 0, stderr: '' });
    expect(isRunning(played.notes()[0]?.rank ?? 0)).toBe(false);
  });

  it('says where to look when mpirun ends before the training has begun', async () => {
    const played = play([{ exitCode: 213 }], ['-n', '2', 'train']);
    expect(codeAndError(await played.running.ended)).toEqual({
      exitCode: 1,
      stderr: 'ganglion: launch: mpirun ended before the training began (exit code 213); it has said why\n',
    });
    expect(startsOf(played)).toHaveLength(1);
  });
});

describe('a job', () => {
  it('that ends without a word is started once more, and goes on with its run', async () => {
    const args = ['-n', '2', 'train', '--steps', '60', '--resume', RUN];
    const played = play([{ records: [BEGUN] }, { records: [BEGUN, ended(0, 0)] }], args);
    expect(codeAndError(await played.running.ended)).toEqual({
      exitCode: 0,
      stderr: 'ganglion: a node was lost with its mpirun; going on with 2 of 2 nodes\n',
    });
    const starts = startsOf(played);
    expect(starts[0]?.train).toBe(`train --steps 60 --resume ${RUN}`);
    expect(starts[1]?.train).toBe(`train --steps 60 --resume ${RUN} --run ${RUN} --resume auto`);
  });

  it('is not started a third time', async () => {
    const played = play([{ records: [BEGUN] }, { records: [BEGUN] }], ['-n', '2', 'train']);
    const { exitCode, stderr } = await played.running.ended;
    expect({ exitCode, last: stderr.trim().split('\n').at(-1) }).toEqual({
      exitCode: 1,
      last: `ganglion: launch: the nodes ended without a word; go on with --resume ${RUN}`,
    });
  });

  it.each([
    ['ends without a word', ended(1, 1), 'a node was lost with its mpirun'],
    ['ends as by a cut link', ended(0, 75), 'a machine does not answer'],
  ])('that %s goes on with the machines that answer', async (_, record, what) => {
    writeFileSync(scratch('agent'), '#!/bin/sh\n[ "$1" != b ]\n');
    chmodSync(scratch('agent'), 0o755);
    const played = play([{ records: [BEGUN, record] }, { records: [ended(0, 0)] }], ['--hosts', 'a,b:2,c', 'train'], {
      PRTE_MCA_plm_ssh_agent: scratch('agent'),
    });
    expect(await played.running.ended).toMatchObject({
      exitCode: 0,
      stderr: `ganglion: ${what}; going on with 2 of 4 nodes on a:1,c:1\n`,
    });
    const [first, second] = startsOf(played);
    expect(first?.before).toContain('-n 4 ');
    expect(first?.before).toContain('--host a:1,b:2,c:1');
    expect(second?.before).toContain('-n 2 ');
    expect(second?.before).toContain('--host a:1,c:1');
  });
});

it('that a signal to a rank has stopped is not started again, whoever answers', async () => {
  const records = [BEGUN, { kind: 'stopped' }, ended(0, 75)];
  const env = { PRTE_MCA_plm_ssh_agent: '/bin/false' };
  const played = play([{ records }, { records: [ended(0, 0)] }], ['--hosts', 'a,b', 'train', '--run', RUN], env);
  expect(codeAndError(await played.running.ended)).toEqual({ exitCode: 75, stderr: '' });
  expect(startsOf(played)).toHaveLength(1);
});

it('does not begin the run again where its folder is not', async () => {
  writeFileSync(scratch('agent'), '#!/bin/sh\n[ "$1" != b ]\n');
  chmodSync(scratch('agent'), 0o755);
  const env = { PRTE_MCA_plm_ssh_agent: scratch('agent') };
  const played = play([{ records: [BEGUN] }], ['--hosts', 'b,a', 'train'], env);
  expect(codeAndError(await played.running.ended)).toEqual({
    exitCode: 1,
    stderr: `ganglion: launch: b does not answer, where ${RUN} was written; go on with --resume where it is\n`,
  });
  expect(startsOf(played)).toHaveLength(1);
});

describe('signals', () => {
  const stops: Scene = { records: [BEGUN], waits: true, onStop: [ended(1, 75), ended(0, 75)] };

  it.each<[NodeJS.Signals, string[], number]>([
    ['SIGTERM', [], 0],
    ['SIGINT', ['--resume', 'auto'], 75],
    ['SIGUSR1', [], 75],
    ['SIGXCPU', [], 75],
  ])('%s is the stop that leaves time, once; with %j the exit code is %i', async (signal, more, exitCode) => {
    const played = play([stops], ['-n', '2', 'train', '--run', RUN, ...more]);
    await played.running.said(/waiting/);
    played.running.child.kill(signal);
    expect(codeAndError(await played.running.ended)).toEqual({ exitCode, stderr: '' });
    const [{ pid, rank } = {}, ...notes] = played.notes();
    expect(notes).toEqual([{ signal: 'SIGUSR2' }]);
    expect([pid, rank].map((each) => isRunning(each ?? 0))).toEqual([false, false]);
  });

  it('SIGTERM while the machines are asked is the end: the job has been stopped already', async () => {
    writeFileSync(scratch('asked'), '#!/bin/sh\nkill -TERM $PPID\n[ "$1" != b ]\n');
    chmodSync(scratch('asked'), 0o755);
    const env = { PRTE_MCA_plm_ssh_agent: scratch('asked') };
    const played = play([{ records: [BEGUN, ended(0, 75)] }], ['--hosts', 'a,b', 'train', '--run', RUN], env);
    expect(codeAndError(await played.running.ended)).toEqual({ exitCode: 0, stderr: '' });
    expect(startsOf(played)).toHaveLength(1);
  });

  it.each([false, true])('a second SIGINT ends all of it, also an mpirun that is deaf: %j', async (isDeaf) => {
    const played = play([{ records: [BEGUN], waits: true, isDeaf }], ['-n', '2', 'train']);
    await played.running.said(/waiting/);
    played.running.child.kill('SIGINT');
    while (played.notes().length < 2) await delay(10);
    played.running.child.kill('SIGINT');
    expect(codeAndError(await played.running.ended)).toEqual({ exitCode: 130, stderr: '' });
    const [{ pid, rank } = {}, ...notes] = played.notes();
    expect(notes).toEqual([{ signal: 'SIGUSR2' }, { signal: 'SIGTERM' }]);
    expect([pid, rank].map((each) => isRunning(each ?? 0))).toEqual([false, false]);
  });

  it.skipIf(!isInstalled('setpriv', '--version'))('a launcher that is killed leaves a job that stops', async () => {
    const played = play([stops], ['-n', '2', 'train']);
    await played.running.said(/waiting/);
    played.running.child.kill('SIGKILL');
    await played.running.ended;
    while (played.notes().length < 2) await delay(10);
    expect(played.notes()[1]).toEqual({ signal: 'SIGUSR2' });
  });
});

it.each([
  [['-n', '0', 'train'], "option '-n, --nodes <N>' argument '0' is invalid. Expected a whole number from 1 to 1024."],
  [['train'], 'launch: expected the number of nodes, as in launch -n 4 train'],
  [['-n', '2', 'sample'], 'launch: expected train, got "sample"'],
  [['-n', '2', 'train', '--wrokers', '2'], "unknown option '--wrokers' (Did you mean --workers?)"],
  [['-n', '2', 'train', '--workers', '0'], '--workers: expected a whole number of at least 1, or auto, got 0'],
  [['-n', '2', 'train', '--dry-run'], 'launch: --dry-run stands before train: it prints the line of mpirun'],
  [['-n', '3', '--hosts', 'a,b', 'train'], '-n 3: expected at most 2, the nodes of --hosts a:1,b:1'],
])('refuses %j by one line, and starts nothing', async (args, message) => {
  const { exitCode, stdout, stderr } = await play([], args).running.ended;
  expect({ exitCode, stdout, stderr }).toEqual({ exitCode: 2, stdout: '', stderr: `ganglion: ${message}\n` });
});

it('refuses another MPI, none, and a process of mpirun', async () => {
  const tell = async (env: NodeJS.ProcessEnv) => {
    const { exitCode, stderr } = await play([], ['-n', '2', '--dry-run', 'train'], env).running.ended;
    expect(exitCode).toBe(2);
    return stderr;
  };
  mkdirSync(scratch('mpich/bin'), { recursive: true });
  mkdirSync(scratch('mpich/lib'), { recursive: true });
  writeFileSync(scratch('mpich/lib/libmpi.so.40'), '');
  writeFileSync(scratch('mpich/bin/mpirun'), '#!/bin/sh\necho HYDRA build details:\n');
  chmodSync(scratch('mpich/bin/mpirun'), 0o755);
  expect(await tell({ GANGLION_LIBMPI: scratch('mpich/lib/libmpi.so.40') })).toMatch(
    /^ganglion: launch: expected Open MPI 4 or 5 of \S+, got "HYDRA build details:"; run: ganglion setup --mpi\n$/,
  );
  expect(await tell({ GANGLION_LIBMPI: '/none' })).toBe(
    'ganglion: GANGLION_LIBMPI: expected the path of libmpi.so.40, got "/none"\n',
  );
  expect(await tell({ OMPI_COMM_WORLD_RANK: '0' })).toContain('was started by mpirun already');
});

it('a rank tells its end before what ends its process at once, as where a thread is stuck', async () => {
  const program = `
    process.on('exit', (code) => process.reallyExit(process.exitCode ?? code));
    const { tellEnd } = await import('${REPOSITORY}/dist/coordinator/commands/rank-records.js');
    tellEnd();
    process.exitCode = 3;`;
  const env = { GANGLION_LAUNCH: 'plain', OMPI_COMM_WORLD_RANK: '1' };
  const { exitCode, stdout } = await start(process.execPath, ['--input-type=module', '-e', program], { env }).ended;
  expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: `\u001e${JSON.stringify(ended(1, 3))}\n` });
});
