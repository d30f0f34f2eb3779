// The files in a tar archive: ustar, with the long names of GNU tar and of pax (Python's tarfile). One that is packed as a whole has no places to
// read from, so its files are held in memory.
// https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html#tag_20_94_13
import { GanglionError } from '../../shared/error.ts';
import { openRegular } from '../files/regular-file.ts';
import type { ByteReader } from './byte-reader.ts';
import { isData } from './folder-files.ts';
import { openContent, readError, type SourceFile } from './source-file.ts';

const BLOCK = 512;
/** Of a name, which is a file of its own. */
const MOST_NAME = 2 ** 16;
/** Of the files in a packed archive together. */
const MOST_PACKED = 2 ** 31;
/** Read at once of what is passed over. */
const PIECE = 2 ** 20;

/** Whether bytes begin as a tar archive. */
export function isTar(head: Uint8Array): boolean {
  return Buffer.from(head.subarray(257, 262)).toString('latin1') === 'ustar';
}

interface Header {
  readonly name: string;
  readonly size: number;
  readonly type: string;
}

function toText(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return Buffer.from(end === -1 ? bytes : bytes.subarray(0, end)).toString('utf8');
}

/** The number in a field: octal digits, or base 256 behind a first bit. */
function toNumber(field: Uint8Array): number {
  if ((field[0] ?? 0) & 0x80) return field.subarray(1).reduce((value, byte) => value * 256 + byte, 0);
  const text = toText(field).trim();
  return /^[0-7]*$/.test(text) ? Number.parseInt(text || '0', 8) : Number.NaN;
}

/** Undefined for a block that is no header. */
function parseHeader(block: Uint8Array): Header | undefined {
  const sum = block.reduce((total, byte, i) => total + (i >= 148 && i < 156 ? 32 : byte), 0);
  const size = toNumber(block.subarray(124, 136));
  if (toNumber(block.subarray(148, 156)) !== sum || !Number.isSafeInteger(size)) return undefined;
  const name = toText(block.subarray(0, 100));
  // GNU's own format has other things in the place of the prefix.
  const prefix = block[262] === 0 ? toText(block.subarray(345, 500)) : '';
  return { name: prefix === '' ? name : `${prefix}/${name}`, size, type: String.fromCharCode(block[156] ?? 0) };
}

/** What a header of type `L` (GNU) or `x` (pax) says of the file behind it. */
function parseNext(type: string, bytes: Uint8Array): { name?: string; size?: number } {
  if (type === 'L') return { name: toText(bytes) };
  const next: { name?: string; size?: number } = {};
  for (const [, key, value = ''] of Buffer.from(bytes)
    .toString('utf8')
    .matchAll(/\d+ ([^=\n]+)=([^\n]*)\n/g)) {
    if (key === 'path') next.name = value;
    if (key === 'size') next.size = Number(value);
  }
  return next;
}

/** Reads an archive from its start to its end. */
class TarReader {
  readonly #reader: ByteReader;
  readonly #name: string;
  /** Bytes read so far. */
  place = 0;

  constructor(reader: ByteReader, name: string) {
    this.#reader = reader;
    this.#name = name;
  }

  fail(got: string): never {
    throw new GanglionError('data', `${this.#name}: expected a whole tar archive, got ${got}`);
  }

  async take(count: number): Promise<Uint8Array> {
    const bytes = await this.#reader.take(count);
    this.place += bytes.length;
    return bytes.length === count ? bytes : this.fail('a cut one');
  }

  async pass(count: number): Promise<void> {
    for (let left = count; left > 0; left -= PIECE) await this.take(Math.min(left, PIECE));
  }

  /** The next header; undefined at the end. */
  async header(): Promise<Header | undefined> {
    const block = await this.#reader.take(BLOCK);
    this.place += block.length;
    if (block.length < BLOCK) return this.fail('a cut one');
    if (block.every((byte) => byte === 0)) return undefined;
    return parseHeader(block) ?? this.fail('a damaged header');
  }
}

const padding = (size: number): number => Math.ceil(size / BLOCK) * BLOCK - size;

/** The files of an archive on the disk. @throws GanglionError `data` for one that is damaged, or packed and too large */
export async function filesInTar(archive: SourceFile, path: string): Promise<SourceFile[]> {
  const { reader, packed, close } = await openContent(archive);
  const tar = new TarReader(reader, path);
  const files: SourceFile[] = [];
  let held = 0;
  let next: { name?: string; size?: number } = {};
  try {
    for (let header = await tar.header(); header !== undefined; header = await tar.header()) {
      const { type } = header;
      if (type === 'L' || type === 'x') {
        if (header.size > MOST_NAME) tar.fail(`a name of ${header.size} bytes`);
        next = { ...next, ...parseNext(type, await tar.take(header.size)) };
        await tar.pass(padding(header.size));
        continue;
      }
      const { name = header.name, size = header.size } = next;
      next = {};
      if (!Number.isSafeInteger(size) || size < 0) tar.fail(`a file of ${size} bytes`);
      const inArchive = name.replace(/^(\.?\/)+/, '');
      const isFile = (type === '0' || type === '\0') && isData(inArchive);
      if (isFile && packed) {
        held += size;
        if (held > MOST_PACKED) tar.fail(`more than ${MOST_PACKED} bytes packed as a whole: unpack it first`);
        const bytes = await tar.take(size);
        files.push({
          path: inArchive,
          name: `${path}/${inArchive}`,
          read: async function* () {
            yield bytes;
          },
        });
        await tar.pass(padding(size));
      } else {
        const { place } = tar;
        if (isFile)
          files.push({ path: inArchive, name: `${path}/${inArchive}`, read: () => readPart(path, place, size) });
        await tar.pass(size + padding(size));
      }
    }
  } finally {
    await close();
  }
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

async function* readPart(path: string, start: number, size: number): AsyncGenerator<Uint8Array> {
  if (size === 0) return;
  try {
    const file = await openRegular(path);
    yield* file.createReadStream({ start, end: start + size - 1 });
  } catch (error) {
    throw readError(path, error);
  }
}
