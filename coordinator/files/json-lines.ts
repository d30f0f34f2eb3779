// A file of JSON records, one a line, that survives a crash: a record is there whole or not at all.
import { closeSync, createReadStream, fsync, ftruncateSync, openSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { systemErrorCode } from '../../shared/error.ts';
import { toJson } from '../../shared/printable.ts';
import { appendWholeSync, fromSystemError, syncFolder } from './atomic-file.ts';
import { checkOwned } from './owned-folders.ts';

const fsyncBesideTheLoop = promisify(fsync);

/** Appends one JSON record a line; a record is there whole or not at all. */
export class JsonLines {
  readonly #path: string;
  readonly #descriptor: number;
  #length: number;

  /**
   * Opens the file and keeps the leading records that satisfy `keep`; the rest, and a line cut by a crash, is dropped.
   *
   * @throws GanglionError `environment`
   */
  constructor(path: string, keep: (record: unknown) => boolean = () => false) {
    this.#path = path;
    try {
      checkOwned(path);
      this.#descriptor = openSync(path, 'a+');
      this.#length = keptLength(readFileSync(path, 'latin1'), keep);
      ftruncateSync(this.#descriptor, this.#length);
      syncFolder(dirname(path));
    } catch (error) {
      throw fromSystemError(`cannot write ${path}`, error);
    }
  }

  /** @throws GanglionError `environment` when the disk is full; the file then ends with the record before. */
  append(record: unknown): void {
    const line = `${toJson(record)}\n`;
    this.#length += appendWholeSync(this.#path, this.#descriptor, this.#length, line);
  }

  /**
   * Resolves once every record so far would outlast a power cut; more may be appended meanwhile, but it must not be closed.
   *
   * @throws GanglionError `environment`
   */
  async sync(): Promise<void> {
    try {
      await fsyncBesideTheLoop(this.#descriptor);
    } catch (error) {
      throw fromSystemError(`cannot write ${this.#path}`, error);
    }
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}

/** @param text one character a byte, so that lengths are those of the file */
function keptLength(text: string, keep: (record: unknown) => boolean): number {
  let length = 0;
  for (const line of text.split('\n').slice(0, -1)) {
    let record: unknown;
    try {
      record = JSON.parse(line);
    } catch {
      break;
    }
    if (!keep(record)) break;
    length += line.length + 1;
  }
  return length;
}

/**
 * Gives every whole record of a file of JSON lines to `each`, in order, a piece of the file at a time.
 *
 * @throws GanglionError `checkpoint` when it cannot be read; a file that is missing has no records
 */
export async function readJsonLines(path: string, each: (record: unknown) => void): Promise<void> {
  let rest = '';
  try {
    for await (const piece of createReadStream(path, { encoding: 'utf8' })) {
      const lines = (rest + piece).split('\n');
      rest = lines.pop() ?? ''; // a line that a crash has cut has no end
      for (const line of lines) {
        const record = parsed(line);
        if (record !== undefined) each(record);
      }
    }
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return;
    throw fromSystemError(`cannot read ${path}`, error, 'checkpoint');
  }
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
