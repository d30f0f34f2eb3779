// Writes a file so that a reader, a crash or a full disk sees the old content or the new, never half of it; appends so that a full
// disk adds nothing; and says in one line what a system error means. Not by write-file-atomic: its sync form ignores short writes, so
// that a full disk leaves a cut file without an error (seen with 7.0.1 on a 64 KiB tmpfs), and it loses a SIGTERM that arrives meanwhile.
import {
  closeSync,
  fsync,
  fsyncSync,
  ftruncateSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { constants } from 'node:os';
import { dirname } from 'node:path';
import { getSystemErrorMap, promisify } from 'node:util';
import { type ErrorCode, GanglionError, messageOf } from '../../shared/error.ts';
import { checkOwned } from './owned-folders.ts';
import { kindOf, OddFile } from './regular-file.ts';
import { removeLeftTemporariesOnce, temporaryPath } from './temporary-file.ts';

/**
 * Replaces the content of `path`: temporary file in the same folder, fsync, rename, fsync of the folder. What killed
 * processes have left there goes. A symbolic link is followed. When it fails, `path` is as before and no temporary file is left.
 * @throws GanglionError `environment` that names the path and the reason (disk full, read-only, no permission, no folder), or says who
 *   has taken over the run's folder that it is in.
 */
export function writeFileAtomicSync(path: string, bytes: Uint8Array): void {
  const action = `cannot write ${path}`;
  try {
    checkOwned(path);
    const before = statSync(path, { throwIfNoEntry: false });
    if (before !== undefined && !before.isFile()) {
      throw new GanglionError('environment', `${action}: expected a file or nothing there, got ${kindOf(before)}`);
    }
    replaceFile(before === undefined ? path : realpathSync(path), bytes, () => checkOwned(path));
  } catch (error) {
    throw fromSystemError(action, error);
  }
}

/** @param check called right before the file gets its name */
function replaceFile(path: string, bytes: Uint8Array, check: () => void): void {
  removeLeftTemporariesOnce(dirname(path));
  const temporary = temporaryPath(path);
  const descriptor = openSync(temporary, 'wx');
  try {
    try {
      writeFileSync(descriptor, bytes);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    check();
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  syncFolder(dirname(path));
}

/**
 * Appends to a file that was opened for it: all or nothing.
 *
 * @param length of the file before, in bytes
 * @param data text is written as UTF-8, by the system call itself: a buffer made of it first costs as much again
 * @returns bytes appended
 * @throws GanglionError `environment` when the disk is full, or the run's folder was taken over; the file is then as before
 */
export function appendWholeSync(path: string, descriptor: number, length: number, data: string | Uint8Array): number {
  checkOwned(path);
  try {
    const size = Buffer.byteLength(data);
    let written = typeof data === 'string' ? writeSync(descriptor, data) : writeSync(descriptor, data);
    // A short write means that the disk has just become full: the rest fails with the reason, or fits after all.
    while (written < size) written += writeSync(descriptor, Buffer.from(data), written);
    return size;
  } catch (error) {
    ftruncateSync(descriptor, length);
    throw fromSystemError(`cannot write ${path}`, error);
  }
}

/**
 * Removes a file, if it is there.
 *
 * @throws GanglionError `environment` that names the path and the reason, or says who has taken over the run's folder that it is in
 */
export function removeFileSync(path: string): void {
  try {
    checkOwned(path);
    rmSync(path, { force: true });
  } catch (error) {
    throw fromSystemError(`cannot remove ${path}`, error);
  }
}

const fsyncBesideTheLoop = promisify(fsync);

/**
 * Resolves once everything written to a file so far would outlast a power cut; more may be appended meanwhile.
 *
 * @throws GanglionError `environment`
 */
export async function syncFile(path: string, descriptor: number): Promise<void> {
  try {
    await fsyncBesideTheLoop(descriptor);
  } catch (error) {
    throw fromSystemError(`cannot write ${path}`, error);
  }
}

/** Makes new names in a folder last. One that cannot be opened for reading (mode 0300) is left to the file system. */
export function syncFolder(folder: string): void {
  let descriptor: number;
  try {
    descriptor = openSync(folder, 'r');
  } catch (error) {
    if (errnoOf(error) === -constants.errno.EACCES) return;
    throw error;
  }
  try {
    fsyncSync(descriptor);
  } catch (error) {
    // Some network file systems cannot sync a folder and say so by EINVAL.
    if (errnoOf(error) !== -constants.errno.EINVAL) throw error;
  } finally {
    closeSync(descriptor);
  }
}

/**
 * The error to throw for `error`, caught while doing `action` ("cannot write /x"): a system error becomes a GanglionError
 * `<action>: <reason>` with `code`, and so does an {@link OddFile}; anything else, such as a GanglionError or a bug, is given back as it
 * is.
 */
export function fromSystemError(action: string, error: unknown, code: ErrorCode = 'environment'): unknown {
  if (error instanceof OddFile) return new GanglionError(code, `${action}: ${error.message}`, { cause: error });
  const errno = errnoOf(error);
  if (errno === undefined) return error;
  // libuv has no text for a full quota.
  const full = errno === -constants.errno.EDQUOT ? 'disk quota exceeded' : undefined;
  const reason = full ?? getSystemErrorMap().get(errno)?.[1] ?? messageOf(error);
  return new GanglionError(code, `${action}: ${reason}`, { cause: error });
}

/** The negative `errno` of a Node system error, else undefined. */
function errnoOf(error: unknown): number | undefined {
  const errno = error instanceof Error && 'errno' in error ? error.errno : undefined;
  return typeof errno === 'number' ? errno : undefined;
}
