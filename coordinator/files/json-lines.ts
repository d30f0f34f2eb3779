// A file of JSON records, one a line, that survives a crash: a record is there whole or not at all. Such a file grows with a run: it is
// read a piece at a time, and no longer line is held than a record can be.
import { closeSync, ftruncateSync, read, readSync } from 'node:fs';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { systemErrorCode } from '../../shared/error.ts';
import { toJson } from '../../shared/printable.ts';
import { appendWholeSync, fromSystemError, syncFile, syncFolder, writeFileAtomicSync } from './atomic-file.ts';
import { type JsonLine, LineSplitter, PIECE_BYTES } from './line-splitter.ts';
import { checkOwned } from './owned-folders.ts';
import { APPEND, openRegular, openRegularSync } from './regular-file.ts';

const readBesideTheLoop = promisify(read);

/** Appends one JSON record a line; a record is there whole or not at all. */
export class JsonLines {
  readonly #path: string;
  readonly #descriptor: number;
  #length: number;

  private constructor(path: string, descriptor: number, length: number) {
    this.#path = path;
    this.#descriptor = descriptor;
    this.#length = length;
  }

  /**
   * Opens the file and keeps the leading records that satisfy `keep`; the rest, and a line cut by a crash, is dropped.
   *
   * @throws GanglionError `environment`
   */
  static async open(path: string, keep: (record: unknown) => boolean = () => false): Promise<JsonLines> {
    try {
      checkOwned(path);
      const descriptor = openRegularSync(path, Number.POSITIVE_INFINITY, APPEND);
      try {
        const length = await keptLength(descriptor, keep);
        checkOwned(path);
        ftruncateSync(descriptor, length);
        syncFolder(dirname(path));
        return new JsonLines(path, descriptor, length);
      } catch (error) {
        closeSync(descriptor);
        throw error;
      }
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
    await syncFile(this.#path, this.#descriptor);
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}

async function keptLength(descriptor: number, keep: (record: unknown) => boolean): Promise<number> {
  let length = 0;
  for await (const lines of readLines(descriptor)) {
    for (const { record, end } of lines) {
      if (record === undefined || !keep(record)) return length;
      length = end;
    }
  }
  return length;
}

/** Lines of a file, as many at a time as a piece of it has. */
async function* readLines(descriptor: number): AsyncGenerator<readonly JsonLine[]> {
  const splitter = new LineSplitter();
  const piece = Buffer.allocUnsafe(PIECE_BYTES);
  for (;;) {
    const { bytesRead } = await readBesideTheLoop(descriptor, piece, 0, PIECE_BYTES, splitter.bytes);
    if (bytesRead === 0) return;
    yield splitter.split(piece.subarray(0, bytesRead));
  }
}

/**
 * The whole records of a file of JSON lines, in order, as many at a time as a piece of the file has.
 *
 * @throws GanglionError `checkpoint` when it cannot be read; a file that is missing has no records
 */
export async function* readJsonRecords(path: string): AsyncGenerator<unknown[]> {
  try {
    const file = await openRegular(path);
    try {
      for await (const lines of readLines(file.fd)) {
        yield lines.filter(({ record }) => record !== undefined).map(({ record }) => record);
      }
    } finally {
      await file.close();
    }
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return;
    throw fromSystemError(`cannot read ${path}`, error, 'checkpoint');
  }
}

/** Gives every whole record of a file of JSON lines to `each`, in order. @throws as {@link readJsonRecords} */
export async function readJsonLines(path: string, each: (record: unknown) => void): Promise<void> {
  for await (const records of readJsonRecords(path)) for (const record of records) each(record);
}

/** A longer file is not written again, as that takes so much memory. */
const MOST_REWRITTEN_BYTES = 2 ** 26;

/**
 * Writes a file of JSON lines again without some records; one without such records, or of more than 64 MiB, is left alone.
 *
 * @throws GanglionError `checkpoint` when it cannot be read, `environment` when it cannot be written
 */
export async function dropRecords(path: string, isDropped: (record: unknown) => boolean): Promise<void> {
  let dropped = 0;
  let bytes = 0;
  const kept: string[] = [];
  await readJsonLines(path, (record) => {
    if (isDropped(record)) dropped += 1;
    else if (bytes <= MOST_REWRITTEN_BYTES) {
      const line = `${toJson(record)}\n`;
      bytes += Buffer.byteLength(line);
      kept.push(line);
    }
  });
  if (dropped > 0 && bytes <= MOST_REWRITTEN_BYTES) writeFileAtomicSync(path, Buffer.from(kept.join('')));
}

/**
 * Gives every whole record of a file of JSON lines to `each`, in order, before it returns: for short files, as all else waits.
 *
 * @throws OddFile, or Node's error
 */
export function readJsonLinesSync(path: string, each: (record: unknown) => void): void {
  const descriptor = openRegularSync(path);
  try {
    const splitter = new LineSplitter();
    const piece = Buffer.allocUnsafe(PIECE_BYTES);
    for (;;) {
      const bytes = readSync(descriptor, piece, 0, PIECE_BYTES, splitter.bytes);
      if (bytes === 0) return;
      for (const { record } of splitter.split(piece.subarray(0, bytes))) if (record !== undefined) each(record);
    }
  } finally {
    closeSync(descriptor);
  }
}
