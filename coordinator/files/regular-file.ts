// Opens what must be a regular file of a sane size. In place of any file a user can have a pipe, which no one writes to, a device without
// an end, a folder, a socket, or 3 GiB: none of them may hang a command, or take its memory. Everything that is read comes through here.
import { closeSync, constants, fstatSync, openSync, readFileSync, type Stats, statSync } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';

/** Most bytes of a file that people or programs write by hand: a config, a plan of faults, a summary. */
export const MOST_TEXT_BYTES = 2 ** 24;

/** What lies at a path is none of the files that are expected there. Its message says what was expected and got. */
export class OddFile extends Error {}

/** What a path leads to, for messages. */
export function kindOf(stats: Stats): 'a file' | 'a folder' | 'a pipe' | 'a socket' | 'a device' {
  if (stats.isFile()) return 'a file';
  if (stats.isDirectory()) return 'a folder';
  if (stats.isFIFO()) return 'a pipe';
  return stats.isSocket() ? 'a socket' : 'a device';
}

function check(stats: Stats, mostBytes: number): void {
  const kind = kindOf(stats);
  if (kind !== 'a file') throw new OddFile(`expected a file, got ${kind}`);
  if (stats.size > mostBytes) throw new OddFile(`expected at most ${mostBytes} bytes, got ${stats.size}`);
}

/** Whether a path leads to a regular file, or to nothing: a file can be written there. */
export function isRegular(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isFile() ?? true;
  } catch {
    return false; // a link to itself
  }
}

/** A pipe that takes the place of a file between the look and the opening must not block either. */
const READ = constants.O_RDONLY | constants.O_NONBLOCK;
/** For reading and appending; made where it is missing. */
export const APPEND = constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK;

/**
 * Opens a regular file.
 *
 * @param flags for reading, or {@link APPEND}
 * @returns its descriptor
 * @throws OddFile, or Node's error, for `fromSystemError`
 */
export function openRegularSync(path: string | URL, mostBytes = Number.POSITIVE_INFINITY, flags = READ): number {
  // To open some devices is to use them.
  const before = statSync(path, { throwIfNoEntry: false });
  if (before) check(before, mostBytes);
  const descriptor = openSync(path, flags);
  try {
    check(fstatSync(descriptor), mostBytes);
    return descriptor;
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

/** The content of a regular file. @throws as {@link openRegularSync} */
export function readRegularSync(path: string | URL, mostBytes: number): Buffer {
  const descriptor = openRegularSync(path, mostBytes);
  try {
    return readFileSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** As {@link openRegularSync}, beside the event loop. */
export async function openRegular(path: string | URL, mostBytes = Number.POSITIVE_INFINITY): Promise<FileHandle> {
  check(await stat(path), mostBytes);
  const file = await open(path, READ);
  try {
    check(await file.stat(), mostBytes);
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** As {@link readRegularSync}, beside the event loop. */
export async function readRegular(path: string | URL, mostBytes: number): Promise<Buffer> {
  const file = await openRegular(path, mostBytes);
  try {
    return await file.readFile();
  } finally {
    await file.close();
  }
}
