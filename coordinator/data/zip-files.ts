// The files in a ZIP archive, which NumPy's .npz is, too. Nothing is unpacked to the disk.
import { closeSync, fstatSync, read } from 'node:fs';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { crc32 } from 'node:zlib';
import { type Entry, fromRandomAccessReaderPromise, RandomAccessReader, type ZipFile } from 'yauzl';
import { GanglionError, messageOf, systemErrorCode } from '../../shared/error.ts';
import { openRegularSync } from '../files/regular-file.ts';
import { isData } from './folder-files.ts';
import { readError, type SourceFile } from './source-file.ts';

const MOST_FILES = 10_000_000;
/** Most bytes that are read at once. */
const PIECE = 2 ** 16;

/** Whether bytes begin as a ZIP archive. */
export function isZip(head: Uint8Array): boolean {
  return head[0] === 0x50 && head[1] === 0x4b && (head[2] === 3 || head[2] === 5);
}

/** Calls `use` with the files of an archive, which is open meanwhile. @throws GanglionError `data` for one that is damaged */
export async function withZip<Result>(
  path: string,
  use: (files: readonly SourceFile[]) => Promise<Result>,
): Promise<Result> {
  const descriptor = openDescriptor(path);
  try {
    const reader = new DescriptorReader(descriptor);
    const options = { autoClose: false };
    const zip = await fromRandomAccessReaderPromise(reader, fstatSync(descriptor).size, options).catch(
      (error: unknown) => {
        throw toError(path, error);
      },
    );
    return await use(await listZip(zip, path));
  } finally {
    closeSync(descriptor);
  }
}

function openDescriptor(path: string): number {
  try {
    return openRegularSync(path);
  } catch (error) {
    throw readError(path, error);
  }
}

/** yauzl's own reader (3.4.0) ends the process when a stream is left early while others wait for their turn. */
class DescriptorReader extends RandomAccessReader {
  readonly #descriptor: number;

  constructor(descriptor: number) {
    super();
    this.#descriptor = descriptor;
  }

  override _readStreamForRange(start: number, end: number): Readable {
    return Readable.from(readRange(this.#descriptor, start, end), { objectMode: false });
  }
}

const readAt = promisify(read);

async function* readRange(descriptor: number, start: number, end: number): AsyncGenerator<Uint8Array> {
  for (let place = start; place < end; ) {
    const length = Math.min(PIECE, end - place);
    const { bytesRead, buffer } = await readAt(descriptor, Buffer.alloc(length), 0, length, place);
    if (bytesRead === 0) return;
    place += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

async function listZip(zip: ZipFile, path: string): Promise<SourceFile[]> {
  const files: SourceFile[] = [];
  try {
    for await (const entry of zip.eachEntry()) {
      const { fileName } = entry;
      if (fileName.endsWith('/') || !isData(fileName)) continue;
      if (entry.isEncrypted()) throw new GanglionError('data', `${path}: expected an archive without a password`);
      files.push({
        path: fileName,
        name: `${path}/${fileName}`,
        read: () => readEntry(zip, entry, `${path}/${fileName}`),
      });
      if (files.length > MOST_FILES) throw new GanglionError('data', `${path}: expected at most ${MOST_FILES} files`);
    }
  } catch (error) {
    throw toError(path, error);
  }
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

async function* readEntry(zip: ZipFile, entry: Entry, name: string): AsyncGenerator<Uint8Array> {
  let sum = 0;
  try {
    for await (const piece of (await zip.openReadStreamPromise(entry)) as AsyncIterable<Buffer>) {
      sum = crc32(piece, sum);
      yield piece;
    }
  } catch (error) {
    throw toError(name, error);
  }
  if (sum !== entry.crc32) throw toError(name, 'another checksum');
}

function toError(name: string, error: unknown): unknown {
  if (error instanceof GanglionError) return error;
  // zlib's errors have a code and a number, too, but are damage.
  const isSystem = systemErrorCode(error) !== undefined && !/^(Z_|ERR_)/.test(systemErrorCode(error) ?? '');
  if (isSystem) return readError(name, error);
  return new GanglionError('data', `${name}: expected a whole ZIP archive, got ${messageOf(error)}`, { cause: error });
}
