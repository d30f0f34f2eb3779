// A file of a data set, wherever it lies: in a folder or in an archive. What it holds is read as a stream, unpacked where it is gzip.
import { createHash } from 'node:crypto';
import { PassThrough, Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { GanglionError, messageOf, systemErrorCode } from '../../shared/error.ts';
import { fromSystemError } from '../files/atomic-file.ts';
import { OddFile, openRegular } from '../files/regular-file.ts';
import { ByteReader } from './byte-reader.ts';

export interface SourceFile {
  /** Below the folder or in the archive, with `/` between names. */
  readonly path: string;
  /** For messages. */
  readonly name: string;
  /** Its bytes; opened with the first. @throws GanglionError that names it, while reading */
  readonly read: () => AsyncIterable<Uint8Array>;
  /** Where it lies on the disk, if it does. */
  readonly place?: string;
}

/** A file on the disk. */
export function diskFile(place: string, path: string): SourceFile {
  return { path, name: place, place, read: () => readDisk(place) };
}

async function* readDisk(path: string): AsyncGenerator<Uint8Array> {
  try {
    const file = await openRegular(path);
    yield* file.createReadStream({ highWaterMark: 2 ** 20 });
  } catch (error) {
    throw readError(path, error);
  }
}

/** What to throw for what went wrong while a file of the data was read. */
export function readError(path: string, error: unknown): unknown {
  const code = systemErrorCode(error) ?? '';
  const usersMistake = error instanceof OddFile || ['ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG'].includes(code);
  return fromSystemError(`cannot read ${path}`, error, usersMistake ? 'data' : 'environment');
}

/** The content of a file, unpacked. */
export interface Content {
  readonly reader: ByteReader;
  /** Whether the file is gzip. */
  readonly packed: boolean;
  /** MD5 and SHA-256 of the file as it is, in hex; none before its end. */
  readonly hashes: () => readonly string[];
  readonly close: () => Promise<void>;
}

const isGzip = (bytes: Uint8Array): boolean => bytes[0] === 0x1f && bytes[1] === 0x8b;

/** Opens a file; one that is gzip, or says so by its name, is unpacked. @throws GanglionError while reading, for damage */
export async function openContent(file: SourceFile): Promise<Content> {
  const algorithms = [createHash('md5'), createHash('sha256')];
  let hashes: readonly string[] = [];
  const pieces = file.read()[Symbol.asyncIterator]();
  const first = await pieces.next();
  async function* whole(): AsyncGenerator<Uint8Array> {
    for (let next = first; next.done !== true; next = await pieces.next()) {
      for (const algorithm of algorithms) algorithm.update(next.value);
      yield next.value;
    }
    hashes = algorithms.map((algorithm) => algorithm.digest('hex'));
  }
  const packed = first.done === true ? file.path.endsWith('.gz') : isGzip(first.value) || file.path.endsWith('.gz');
  const reader = new ByteReader(packed ? unpack(whole(), file.name) : whole());
  const close = async (): Promise<void> => {
    await reader.close();
    await pieces.return?.();
  };
  return { reader, packed, hashes: () => hashes, close };
}

async function* unpack(source: AsyncIterable<Uint8Array>, name: string): AsyncGenerator<Uint8Array> {
  const input = Readable.from(source, { objectMode: false });
  const gunzip = createGunzip({ chunkSize: 2 ** 18 });
  const output = new PassThrough({ highWaterMark: 2 ** 20 });
  input.on('error', (error) => output.destroy(error));
  gunzip.on('error', (error) => output.destroy(error));
  input.pipe(gunzip).pipe(output);
  try {
    yield* output;
  } catch (error) {
    if (error instanceof GanglionError) throw error;
    throw new GanglionError('data', `${name}: expected a whole gzip file, got ${messageOf(error)}`, { cause: error });
  } finally {
    input.destroy();
    gunzip.destroy();
    output.destroy();
  }
}

/** The first bytes of the content; less where the file is shorter or cannot be unpacked. @throws GanglionError when it cannot be read */
export async function peek(file: SourceFile, count: number): Promise<Uint8Array> {
  const { reader, close } = await openContent(file);
  try {
    return await reader.take(count);
  } catch (error) {
    if (error instanceof GanglionError && error.message.includes('expected a whole gzip file'))
      return new Uint8Array(0);
    throw error;
  } finally {
    await close();
  }
}

/** All of the file as it is. @throws GanglionError `data` where it has more than `mostBytes` */
export async function readWhole(file: SourceFile, mostBytes: number): Promise<Uint8Array> {
  const reader = new ByteReader(file.read());
  try {
    const bytes = await reader.take(mostBytes + 1);
    if (bytes.length <= mostBytes) return bytes;
    throw new GanglionError('data', `${file.name}: expected at most ${mostBytes} bytes, got more`);
  } finally {
    await reader.close();
  }
}
