import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, utimesSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { writeFileAtomicSync } from '../../../../coordinator/files/atomic-file.ts';
import { removeLeftTemporaries, temporaryPath } from '../../../../coordinator/files/temporary-file.ts';
import { removeTemporaries, runFolderAt } from '../../../../coordinator/run-folder/run-folder.ts';
import { scratchFolder } from '../../scratch.ts';

/** When a process started, in ticks since the boot. */
const startOf = (pid: number): string =>
  /\) (?:\S+ ){19}(\d+)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1] ?? '';

/** The temporary file that another process would have for `path`. */
function temporaryOf(path: string, { pid, started, place }: { pid: number; started?: string; place?: string }): string {
  const [, name, here, , ownStart, random] = /^(.+)\.(\w+)-(\d+)-(\d+)-(\w+)\.tmp$/.exec(temporaryPath(path)) ?? [];
  return `${name}.${place ?? here}-${pid}-${started ?? ownStart}-${random}.tmp`;
}

function living(): number {
  const child = spawn('sleep', ['60'], { stdio: 'ignore' });
  onTestFinished(() => void child.kill('SIGKILL'));
  if (child.pid === undefined) throw new Error('expected a process');
  return child.pid;
}

const FOREIGN = '00000000';

/** Temporary files of processes that have ended, live, and are of another machine, new and old. */
function leave(path: string) {
  const alive = living();
  const { pid: ended } = spawnSync('true');
  const left = {
    own: temporaryPath(path),
    living: temporaryOf(path, { pid: alive, started: startOf(alive) }),
    ended: temporaryOf(path, { pid: ended, started: '1' }),
    reused: temporaryOf(path, { pid: alive, started: '1' }),
    foreign: temporaryOf(path, { pid: ended, place: FOREIGN }),
    foreignLong: temporaryOf(path, { pid: ended, place: FOREIGN }),
  };
  for (const file of Object.values(left)) writeFileSync(file, 'half');
  const twoHours = Date.now() / 1000 - 7200;
  utimesSync(left.foreignLong, twoHours, twoHours);
  const kept = () => Object.entries(left).flatMap(([name, file]) => (existsSync(file) ? name : []));
  return { kept };
}

it('goes when its process has ended, or may have for an hour; one that is being written stays', () => {
  const folder = scratchFolder();
  const { kept } = leave(join(folder, 'report.html'));
  const others = ['.report.html.swp', 'notes.tmp', '.x.tmp', basename(temporaryPath(join(folder, 'is a folder')))];
  for (const name of others.slice(0, 3)) writeFileSync(join(folder, name), '');
  mkdirSync(join(folder, others[3] ?? ''));
  removeLeftTemporaries(folder);
  expect(kept()).toEqual(['own', 'living', 'foreign']);
  expect(readdirSync(folder)).toEqual(expect.arrayContaining(others));
  removeLeftTemporaries(folder, (name) => name === 'report.html');
  expect(kept()).toEqual(['own', 'living']);
  removeLeftTemporaries(join(folder, 'none'));
});

it('of a killed process goes with the next file that is written beside it', () => {
  const folder = scratchFolder();
  const { kept } = leave(join(folder, 'explorer.html'));
  writeFileAtomicSync(join(folder, 'model.json'), Buffer.from('{}'));
  expect(kept()).toEqual(['own', 'living', 'foreign']);
});

it('of the run goes at its next start, wherever it was written; that of a report under way stays', () => {
  const run = runFolderAt(scratchFolder());
  for (const folder of [run.checkpoints, run.samples]) mkdirSync(folder);
  const checkpoint = leave(join(run.checkpoints, 'step-00000001.safetensors'));
  const report = leave(run.report);
  const animation = leave(join(run.samples, 'epochs.gif'));
  removeTemporaries(run);
  expect([checkpoint.kept(), report.kept(), animation.kept()]).toEqual([
    ['own', 'living'],
    ['own', 'living', 'foreign'],
    ['own', 'living', 'foreign'],
  ]);
});

it('is a name of its own in the folder of the file, to which it can be renamed', () => {
  const path = join(scratchFolder(), 'a b.png');
  const names = [temporaryPath(path), temporaryPath(path)];
  expect(new Set([...names, path]).size).toBe(3);
  writeFileSync(names[0] ?? '', 'x');
  renameSync(names[0] ?? '', path);
  expect(readFileSync(path, 'utf8')).toBe('x');
});
