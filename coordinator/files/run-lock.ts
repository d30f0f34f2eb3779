// One process at a time on a run's folder, on whatever machine or in whatever container it runs: lock.json in the folder names the owner,
// who touches it every two seconds. A file that nobody touches for ten is taken over; one of a process that is known to have ended, or
// of another process of the same job of MPI, at once. The clocks of two machines are never compared: who waits watches the file by its own clock. An owner that was frozen meanwhile
// finds another's name in the file before its next write. Not by proper-lockfile: loaded, it listens to every signal, which a library
// must not, and it takes a file for left over by comparing its time with this machine's clock.
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  futimesSync,
  linkSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { GanglionError, systemErrorCode } from '../../shared/error.ts';
import { fromSystemError } from './atomic-file.ts';
import { describeOwner, fateOf, isOfOwnJob, type LockOwner, ownerHere, parseOwner } from './lock-owner.ts';
import { checkWritesBelow } from './owned-folders.ts';
import { temporaryPath } from './temporary-file.ts';

/** Name of the file in the folder. */
export const LOCK_FILE = 'lock.json';

const TOUCH_MS = 2_000;
/** A file that nobody touches for so long is left over. */
const STALE_MS = 10_000;
const POLL_MS = 100;
/** An owner that lives has touched the file by then; people are told of a longer wait. */
const TELL_MS = 1.5 * TOUCH_MS;
/** A record has some 250 bytes; of a longer file, nothing more is read. */
const MOST_BYTES = 4096;
/** After so long the owner opens its file again; until then it asks only whether the file is still the same. */
const REOPEN_MS = 1_000;
/** How often the file may go and come back while it is looked at. */
const ATTEMPTS = 20;

/** What names the lock of a folder, for a thread of the process that holds it. */
export interface LockTicket {
  readonly folder: string;
  /** Content of lock.json, which no other owner's equals. */
  readonly record: string;
}

export interface RunLock {
  readonly ticket: LockTicket;
  /** Gives the folder up. */
  release(): void;
}

export interface LockOptions {
  /** Told once when the file must be watched for more than three seconds, which takes up to `staleMs`. */
  readonly onWait?: (message: string) => void;
  readonly staleMs?: number;
}

/** Whether a process holds a folder, or has left it without a word. */
export function isLocked(folder: string): boolean {
  return existsSync(join(folder, LOCK_FILE));
}

/** Whether another process of this one's job holds a folder, or has held it when it was lost. */
export function isHeldByOwnJob(folder: string): boolean {
  const owner = parseOwner(read(join(folder, LOCK_FILE))?.record ?? '');
  return owner !== undefined && isOfOwnJob(owner);
}

/**
 * Takes the lock of a run's folder, which must be there. From then on every write below it is checked: see {@link checkWritesBelow}.
 *
 * @throws GanglionError `environment` that names the process that holds it, or says why the folder cannot be locked
 */
export async function lockRunFolder(folder: string, options: LockOptions = {}): Promise<RunLock> {
  const file = join(folder, LOCK_FILE);
  try {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const found = read(file);
      if (found) await waitUntilFree(folder, found, options);
      const lock = found ? takeOver(folder, found) : create(folder);
      if (lock) return lock;
    }
  } catch (error) {
    throw fromSystemError(`cannot write ${file}`, error);
  }
  throw inUse(folder, undefined);
}

/** Checks in another thread what the process that holds the lock checks. @returns ends that */
export function joinLock({ folder, record }: LockTicket): () => void {
  return checkWritesBelow(folder, () => checkRecord(folder, record));
}

/** lock.json as it lies there. */
interface Found {
  readonly record: string;
  /** What changes when it is touched. */
  readonly touched: string;
  readonly touchedMs: number;
}

/** Opens it, by which a network file system asks its server. @returns undefined when there is none @throws GanglionError for what is no file */
function read(file: string): Found | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const stats = fstatSync(descriptor);
    if (!stats.isFile()) throw new GanglionError('environment', `${file}: expected a file or nothing there; remove it`);
    const bytes = Buffer.alloc(MOST_BYTES);
    const record = bytes.toString('utf8', 0, readSync(descriptor, bytes, 0, MOST_BYTES, 0));
    return { record, touched: `${stats.ino} ${stats.mtimeMs}`, touchedMs: stats.mtimeMs };
  } finally {
    closeSync(descriptor);
  }
}

/** @throws GanglionError when its owner lives */
async function waitUntilFree(folder: string, found: Found, { onWait, staleMs = STALE_MS }: LockOptions): Promise<void> {
  const { record, touched, touchedMs } = found;
  const owner = parseOwner(record);
  const fate = owner ? fateOf(owner) : 'unknown';
  if (fate === 'dead' || (owner && isOfOwnJob(owner))) return;
  if (fate === 'alive' && Math.abs(Date.now() - touchedMs) < staleMs) throw inUse(folder, owner);
  const startMs = performance.now();
  const waitedMs = () => performance.now() - startMs;
  for (let told = false; waitedMs() < staleMs; await delay(POLL_MS)) {
    if (!told && waitedMs() > TELL_MS) {
      told = true;
      onWait?.(`${folder} was in use by ${describeOwner(owner)}, which gives no sign of life; taking it over soon`);
    }
    const now = read(join(folder, LOCK_FILE));
    if (!now || now.record !== record) return; // given up, or taken over: the next attempt sees by whom
    if (now.touched !== touched) throw inUse(folder, owner);
  }
}

/** @returns undefined when another process was faster */
function create(folder: string): RunLock | undefined {
  const file = join(folder, LOCK_FILE);
  const record = toRecord(ownerHere(1));
  try {
    return hold(folder, record, linkRecord(file, record) ?? writeRecord(file, record));
  } catch (error) {
    if (systemErrorCode(error) === 'EEXIST') return undefined;
    throw error;
  }
}

/** Gives a whole record its name, so that a crash leaves none without an owner. @returns undefined where a file system has no links */
function linkRecord(file: string, record: string): number | undefined {
  const temporary = temporaryPath(file);
  const descriptor = writeRecord(temporary, record);
  try {
    linkSync(temporary, file);
    return descriptor;
  } catch (error) {
    closeSync(descriptor);
    if (systemErrorCode(error) === 'EEXIST') throw error;
    return undefined;
  } finally {
    rmSync(temporary, { force: true });
  }
}

/** @returns undefined when another process was faster */
function takeOver(folder: string, found: Found): RunLock | undefined {
  const file = join(folder, LOCK_FILE);
  const now = read(file);
  if (now?.record !== found.record || now.touched !== found.touched) return undefined;
  const record = toRecord(ownerHere((parseOwner(found.record)?.token ?? 0) + 1));
  const temporary = temporaryPath(file);
  const descriptor = writeRecord(temporary, record);
  try {
    renameSync(temporary, file);
  } catch (error) {
    closeSync(descriptor);
    rmSync(temporary, { force: true });
    throw error;
  }
  return hold(folder, record, descriptor);
}

function toRecord(owner: LockOwner): string {
  return `${JSON.stringify(owner)}\n`;
}

/** Makes a file that must not be there yet; nothing of it stays when that fails. @returns its descriptor */
function writeRecord(path: string, record: string): number {
  const descriptor = openSync(path, 'wx');
  try {
    writeSync(descriptor, record);
    touchSync(descriptor);
    return descriptor;
  } catch (error) {
    closeSync(descriptor);
    rmSync(path, { force: true });
    throw error;
  }
}

function touchSync(descriptor: number): void {
  const now = new Date();
  futimesSync(descriptor, now, now);
}

/** @param descriptor of lock.json: another owner's file has another, so that only one's own is touched */
function hold(folder: string, record: string, descriptor: number): RunLock {
  const touching = setInterval(() => {
    try {
      touchSync(descriptor);
    } catch {
      // A file system that is gone fails the next write.
    }
  }, TOUCH_MS).unref();
  const uncheck = checkWritesBelow(folder, ownCheck(folder, record, descriptor));
  return {
    ticket: { folder, record },
    release() {
      clearInterval(touching);
      uncheck();
      closeSync(descriptor);
      try {
        if (read(join(folder, LOCK_FILE))?.record === record) rmSync(join(folder, LOCK_FILE));
      } catch {
        // It is left over, of a process that will have ended.
      }
    },
  };
}

/**
 * Checks before every write of the owner, so it costs one system call: whoever takes over gives another file the name, and as long as the
 * owner's is open no other has its number. A network file system may answer that from its memory; it asks its server when a file is opened.
 */
function ownCheck(folder: string, record: string, descriptor: number): () => void {
  const file = join(folder, LOCK_FILE);
  const { ino } = fstatSync(descriptor);
  let openedMs = Number.NEGATIVE_INFINITY;
  return () => {
    const now = performance.now();
    if (now - openedMs < REOPEN_MS && statSync(file, { throwIfNoEntry: false })?.ino === ino) return;
    checkRecord(folder, record);
    openedMs = now;
  };
}

/** @throws GanglionError when the file has another record by now */
function checkRecord(folder: string, record: string): void {
  const file = join(folder, LOCK_FILE);
  let found: Found | undefined;
  try {
    found = read(file);
  } catch (error) {
    throw fromSystemError(`cannot read ${file}`, error);
  }
  if (found?.record === record) return;
  const why = found ? `was taken over by ${describeOwner(parseOwner(found.record))}` : `has lost its ${LOCK_FILE}`;
  throw new GanglionError('environment', `${folder} ${why}; this process writes nothing more there`);
}

function inUse(folder: string, owner: LockOwner | undefined): GanglionError {
  return new GanglionError('environment', `${folder} is in use by ${describeOwner(owner)}`);
}
