import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { appendWholeSync, removeFileSync, writeFileAtomicSync } from '../../../../coordinator/files/atomic-file.ts';
import { JsonLines } from '../../../../coordinator/files/json-lines.ts';
import { ownerHere } from '../../../../coordinator/files/lock-owner.ts';
import { isOwned } from '../../../../coordinator/files/owned-folders.ts';
import { isLocked, LOCK_FILE, lockRunFolder } from '../../../../coordinator/files/run-lock.ts';
import { errorOf } from '../../scratch.ts';

const STALE = { staleMs: 3_300 };
const MODULE = new URL('../../../../dist/coordinator/files/run-lock.js', import.meta.url);

// Removed and ended after all tests: onTestFinished may take one of several that run at once for another.
const folders: string[] = [];
const holders: ChildProcess[] = [];
afterAll(() => {
  for (const child of holders) child.kill('SIGKILL');
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

function scratchFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'ganglion-lock-'));
  folders.push(folder);
  return folder;
}

const recordOf = (folder: string): Record<string, unknown> => JSON.parse(readFileSync(join(folder, LOCK_FILE), 'utf8'));

/** A process that holds the lock of a folder until it is killed. @param prefix runs it in a namespace of its own */
async function holderOf(folder: string, prefix: readonly string[] = []): Promise<ChildProcess> {
  const script = `await (await import('${MODULE}')).lockRunFolder('${folder}'); console.log('held'); setInterval(() => {}, 1000);`;
  const [program = '', ...args] = [...prefix, process.execPath, '--input-type=module', '--eval', script];
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  holders.push(child);
  await once(child.stdout, 'data');
  return child;
}

async function killed(child: ChildProcess): Promise<void> {
  const closed = once(child, 'close');
  child.kill('SIGKILL');
  await closed;
}

/** A lock.json of a process that cannot be looked up from here. */
function foreignLock(folder: string): void {
  const owner = { ...ownerHere(7), host: 'node-2', boot: 'another', pid: 1, since: '2026-11-27T00:00:00.000Z' };
  const temporary = join(folder, 'lock.tmp');
  writeFileSync(temporary, JSON.stringify(owner));
  renameSync(temporary, join(folder, LOCK_FILE)); // a file of its own, as of a process that takes over
}

const canUnshare = ((): boolean => {
  try {
    execFileSync('unshare', ['-pf', '--mount-proc', 'true'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

describe('the lock of a run', () => {
  it('is held once, by whatever name the folder goes, and leaves nothing behind', async () => {
    const folder = scratchFolder();
    const [run, other] = [join(folder, 'run'), join(folder, 'other')];
    for (const path of [run, other]) mkdirSync(path);
    symlinkSync(run, join(folder, 'link'));
    const lock = await lockRunFolder(run);
    for (const path of [run, join(folder, '.', 'x', '..', 'run'), join(folder, 'link')]) {
      expect(isLocked(path)).toBe(true);
      expect(await errorOf(() => lockRunFolder(path))).toBe(`environment: ${path} is in use by process ${process.pid}`);
    }
    (await lockRunFolder(other)).release();
    lock.release();
    expect(readdirSync(run)).toEqual([]);
    (await lockRunFolder(run)).release();
  });

  it('is taken at once by another process of the same job, and by no process that is alone', async () => {
    const run = scratchFolder();
    const owner = { ...ownerHere(7), pid: process.pid, job: 'job', member: '1/0' };
    const asRank = (rank: string, job: string): void => {
      vi.stubEnv('OMPI_COMM_WORLD_RANK', rank);
      vi.stubEnv('GANGLION_JOB', job);
    };
    onTestFinished(() => void vi.unstubAllEnvs());
    const inUse = `environment: ${run} is in use by process ${process.pid}`;
    writeFileSync(join(run, LOCK_FILE), JSON.stringify(owner)); // it lives, and has touched its file
    expect(await errorOf(() => lockRunFolder(run, STALE))).toBe(inUse);
    asRank('0', 'job/1'); // the same process
    expect(await errorOf(() => lockRunFolder(run, STALE))).toBe(inUse);
    asRank('1', 'other/1');
    expect(await errorOf(() => lockRunFolder(run, STALE))).toBe(inUse);
    for (const [rank, job] of [
      ['1', 'job/1'], // a survivor
      ['0', 'job/2'], // the next start of the job
    ] as const) {
      writeFileSync(join(run, LOCK_FILE), JSON.stringify(owner));
      asRank(rank, job);
      const lock = await lockRunFolder(run, STALE);
      expect(recordOf(run)).toMatchObject({ token: 8, job: 'job', member: `${job.at(-1)}/${rank}` });
      lock.release();
    }
  });

  it('goes with its process, also by kill -9, and its token grows then', async () => {
    const run = scratchFolder();
    const child = await holderOf(run);
    expect(await errorOf(() => lockRunFolder(run))).toBe(`environment: ${run} is in use by process ${child.pid}`);
    expect(recordOf(run)).toMatchObject({ token: 1, pid: child.pid });
    await killed(child);
    const lock = await lockRunFolder(run);
    expect(recordOf(run)).toMatchObject({ token: 2, pid: process.pid });
    lock.release();
  });

  it('is free when another process has the number of the one that held it', async () => {
    const run = scratchFolder();
    writeFileSync(join(run, LOCK_FILE), JSON.stringify({ ...ownerHere(3), started: 1 }));
    (await lockRunFolder(run)).release();
  });

  it('is not taken by two that come at once', async () => {
    const run = scratchFolder();
    const tries = await Promise.allSettled(Array.from({ length: 8 }, () => lockRunFolder(run)));
    expect(tries.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const one of tries) if (one.status === 'fulfilled') one.value.release();
  });

  it.concurrent('of another machine is refused while it is touched, whatever its clock says', async () => {
    const run = scratchFolder();
    foreignLock(run);
    const file = join(run, LOCK_FILE);
    utimesSync(file, 1, 1);
    const touching = setTimeout(() => utimesSync(file, 2, 2), 500);
    const waits: string[] = [];
    expect(await errorOf(() => lockRunFolder(run, { ...STALE, onWait: (text) => waits.push(text) }))).toBe(
      `environment: ${run} is in use by process 1 on node-2 since 2026-11-27T00:00:00.000Z`,
    );
    expect(waits).toEqual([]);
    clearTimeout(touching);
  });

  it.concurrent('of another machine is taken after its time', async () => {
    const run = scratchFolder();
    foreignLock(run);
    const startMs = performance.now();
    const lock = await lockRunFolder(run, STALE);
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(STALE.staleMs);
    expect(recordOf(run)).toMatchObject({ token: 8, pid: process.pid });
    lock.release();
  });

  it.concurrent('is touched as long as it is held', async () => {
    const run = scratchFolder();
    const child = await holderOf(run);
    // As from another machine: the process cannot be looked up.
    const record = recordOf(run);
    expect(record.pid).toBe(child.pid);
    const script = `
      import { readFileSync, writeFileSync } from 'node:fs';
      const { lockRunFolder } = await import('${MODULE}');
      try { await lockRunFolder('${run}', { staleMs: 8000 }); console.log('taken'); }
      catch (error) { console.log(error.message); }`;
    const prefix = canUnshare ? ['unshare', '-pf', '--mount-proc'] : [];
    const [program = '', ...args] = [...prefix, process.execPath, '--input-type=module', '--eval', script];
    const { stdout } = await promisify(execFile)(program, args);
    expect(stdout).toMatch(new RegExp(`is in use by process ${child.pid}( of another container since \\S+Z)?\n$`));
  });

  it.skipIf(!canUnshare).concurrent(
    'of a killed container is no proof of death: it is taken after its time',
    async () => {
      const run = scratchFolder();
      const child = await holderOf(run, ['unshare', '-pf', '--mount-proc', '--kill-child']);
      expect(recordOf(run)).toMatchObject({ pid: 1 });
      await killed(child);
      const startMs = performance.now();
      const lock = await lockRunFolder(run, STALE);
      expect(performance.now() - startMs).toBeGreaterThanOrEqual(STALE.staleMs);
      lock.release();
    },
  );
});

describe('a lock.json that nobody of Ganglion has written', () => {
  it.concurrent.each([
    ['nothing', ''],
    ['half a record', '{"token":3,"pid":'],
    ['other JSON', '{"token":-1,"pid":"1"}'],
    ['deeply nested', '['.repeat(100_000)],
    ['with control characters', JSON.stringify({ ...ownerHere(1), host: '\u001b[2J', boot: 'x' })],
    ['2 MB', 'x'.repeat(2e6)],
  ])('%s: is taken after its time, and no byte of it is shown', async (_, content) => {
    const run = scratchFolder();
    writeFileSync(join(run, LOCK_FILE), content);
    const waits: string[] = [];
    const lock = await lockRunFolder(run, { ...STALE, onWait: (text) => waits.push(text) });
    expect(waits).toEqual([`${run} was in use by another process, which gives no sign of life; taking it over soon`]);
    expect(recordOf(run)).toMatchObject({ token: 1, pid: process.pid });
    lock.release();
  });

  it('no file is refused in one line', async () => {
    const run = scratchFolder();
    const file = join(run, LOCK_FILE);
    const refused = () => errorOf(() => lockRunFolder(run));
    mkdirSync(file);
    expect(await refused()).toBe(`environment: ${file}: expected a file or nothing there; remove it`);
    execFileSync('rmdir', [file]);
    execFileSync('mkfifo', [file]);
    expect(await refused()).toBe(`environment: ${file}: expected a file or nothing there; remove it`);
    execFileSync('rm', [file]);
    symlinkSync('elsewhere', file);
    expect(await refused()).toMatch(/^environment: cannot write \S+lock.json: too many symbolic links encountered$/);
    expect(existsSync(join(run, 'elsewhere'))).toBe(false);
  });
});

describe('a process that was taken over', () => {
  /** A folder whose lock another process has taken from this one meanwhile. */
  async function lostFolder(): Promise<{ readonly run: string; readonly lost: string }> {
    const run = scratchFolder();
    const lock = await lockRunFolder(run);
    onTestFinished(() => lock.release());
    expect(isOwned(run)).toBe(true); // has opened the file: the next look asks for its number alone
    foreignLock(run);
    const lost = `${run} was taken over by process 1 on node-2 since 2026-11-27T00:00:00.000Z; this process writes nothing more there`;
    return { run, lost: `environment: ${lost}` };
  }

  it('changes nothing more below the folder, and leaves the lock of the other alone', async () => {
    const run = scratchFolder();
    const log = await JsonLines.open(join(run, 'log'));
    onTestFinished(() => log.close());
    const { run: lostRun, lost } = await lostFolder();
    const inside = join(lostRun, 'a');
    writeFileSync(inside, 'before');
    const before = readdirSync(lostRun);
    expect(await errorOf(() => writeFileAtomicSync(inside, Buffer.from('after')))).toBe(lost);
    expect(await errorOf(() => writeFileAtomicSync(join(lostRun, 'new'), Buffer.from('after')))).toBe(lost);
    expect(await errorOf(() => removeFileSync(inside))).toBe(lost);
    expect(await errorOf(() => appendWholeSync(inside, -1, 0, 'more'))).toBe(lost);
    expect(await errorOf(() => JsonLines.open(inside))).toBe(lost);
    expect(isOwned(lostRun)).toBe(false);
    expect(readdirSync(lostRun)).toEqual(before);
    expect(readFileSync(inside, 'utf8')).toBe('before');
    log.append({ step: 1 }); // another folder is another matter
    expect(isOwned(run)).toBe(true);
  });

  it('ends when its lock was removed, too', async () => {
    const run = scratchFolder();
    const lock = await lockRunFolder(run);
    execFileSync('rm', [join(run, LOCK_FILE)]);
    expect(await errorOf(() => removeFileSync(join(run, 'a')))).toBe(
      `environment: ${run} has lost its lock.json; this process writes nothing more there`,
    );
    lock.release();
  });

  it('does not touch the lock of the other', async () => {
    const { run } = await lostFolder();
    utimesSync(join(run, LOCK_FILE), 5, 5);
    const lock = await lockRunFolder(run, STALE); // is not touched by the first
    expect(recordOf(run)).toMatchObject({ token: 8, pid: process.pid });
    lock.release();
    await delay(1);
    expect(isLocked(run)).toBe(false);
  });
});
