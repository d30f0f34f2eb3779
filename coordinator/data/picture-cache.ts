// Decoded pictures on the disk, by what their files hold: the next run on the same pictures reads one file in place of 60,000. Where it cannot
// be read or written, pictures are decoded.

import { createHash } from 'node:crypto';
import { readdirSync, rmSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { GanglionError, systemErrorCode } from '../../shared/error.ts';
import { sizeOf } from '../../shared/model/shape.ts';
import type { ImageShape } from '../../shared/model/spec.ts';
import { writeFileAtomicSync } from '../files/atomic-file.ts';
import { makeFolder } from '../files/make-folder.ts';
import { readRegular } from '../files/regular-file.ts';
import { describeDecoders } from '../images/decode.ts';
import { MOST_FILE_BYTES, readPicture } from './decode-batch.ts';
import type { LoadOptions } from './load-options.ts';
import { allocateImages } from './memory.ts';
import type { ArrangedPictures } from './picture-files.ts';
import { readWhole, type SourceFile } from './source-file.ts';

/** Pictures that were decoded. */
export interface PreparedPictures {
  /** Shape [pictures, ...shape], without those that cannot be used. */
  readonly images: Uint8Array;
  readonly shape: ImageShape;
  /** Places of those that cannot be used, ascending. */
  readonly left: readonly number[];
  /** What was done, for people. */
  readonly preparation: string | null;
}

/** Fewer pictures are decoded faster than they are looked up. */
const LEAST = 1000;
/** Sets that stay; the one not used for longest goes. */
const MOST_SETS = 4;
/** Raised when the same files give other pixels. */
const VERSION = 2;
const NAME = /^pictures-[0-9a-f]{32}\.bin$/;
/** Files between two looks at what else there is to do, such as a signal. */
const YIELD_EVERY = 256;
const MOST_HEADER = 2 ** 24;

interface Header {
  readonly bytes: number;
  /** Of the pixels. */
  readonly sha256: string;
  readonly shape: ImageShape;
  readonly left: readonly number[];
  readonly preparation: string | null;
}

/** The pictures as they were decoded before, or as `decode` gives them. */
export async function cachedPictures(
  pictures: ArrangedPictures,
  options: LoadOptions,
  decode: () => Promise<PreparedPictures>,
): Promise<PreparedPictures> {
  const { cacheFolder, skipBroken, onNotice } = options;
  if (cacheFolder === null || pictures.files.length < LEAST || !isOurs(cacheFolder)) return decode();
  const path = join(cacheFolder, `pictures-${await keyOf(pictures.files, options)}.bin`);
  const kept = await read(path, pictures.files.length);
  if (kept !== undefined && (skipBroken || kept.left.length === 0)) {
    if (kept.left.length > 0) onNotice(kept.preparation ?? '');
    return kept;
  }
  const prepared = await decode();
  write(path, cacheFolder, prepared);
  return prepared;
}

/** A folder that others can write is not read from: what lies there would be trained on. */
function isOurs(folder: string): boolean {
  const stats = statSync(folder, { throwIfNoEntry: false });
  return stats === undefined || (stats.uid === process.getuid?.() && (stats.mode & 0o022) === 0);
}

/** Names the files' content and order, and all that decides about pixels. */
async function keyOf(files: readonly SourceFile[], { options, wanted, onProgress }: LoadOptions): Promise<string> {
  const hashes: string[] = [];
  for (const [i, file] of files.entries()) {
    hashes.push(await hashOf(file));
    if (i % YIELD_EVERY > 0) continue;
    await setImmediate();
    onProgress(0, files.length);
  }
  const how = JSON.stringify([VERSION, describeDecoders(), options, wanted]);
  return createHash('sha256').update(how).update(hashes.join()).digest('hex').slice(0, 32);
}

async function hashOf(file: SourceFile): Promise<string> {
  const hash = createHash('sha256');
  try {
    const { place } = file;
    hash.update(place === undefined ? await readWhole(file, MOST_FILE_BYTES) : readPicture(place));
  } catch {
    return 'unreadable'; // decoding says why
  }
  return hash.digest('hex');
}

/** @param count of the files */
async function read(path: string, count: number): Promise<PreparedPictures | undefined> {
  try {
    const file = await readRegular(path, 2 ** 32);
    const length = file.readUInt32LE(0);
    if (length > MOST_HEADER) return undefined;
    const { bytes, sha256, shape, left, preparation }: Header = JSON.parse(file.toString('utf8', 4, 4 + length));
    const pixels = file.subarray(4 + length);
    const size = (count - left.length) * sizeOf(shape);
    if (pixels.length !== bytes || size !== bytes || createHash('sha256').update(pixels).digest('hex') !== sha256)
      return undefined;
    const images = allocateImages(1, bytes, path);
    images.set(pixels);
    utimesSync(path, new Date(), new Date());
    return { images, shape, left, preparation };
  } catch (error) {
    if (error instanceof GanglionError) throw error;
    return undefined; // not there, damaged, or of another version
  }
}

function write(path: string, folder: string, { images, shape, left, preparation }: PreparedPictures): void {
  const sha256 = createHash('sha256').update(images).digest('hex');
  const header: Header = { bytes: images.length, sha256, shape, left, preparation };
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(text.length);
  try {
    makeFolder(folder);
    prune(folder);
    writeFileAtomicSync(path, Buffer.concat([length, text, images]));
  } catch (error) {
    // The run has its pictures; the next one decodes them again.
    if (systemErrorCode(error) === undefined && !(error instanceof GanglionError)) throw error;
    rmSync(path, { force: true });
  }
}

/** Makes room for one more. */
function prune(folder: string): void {
  const sets = readdirSync(folder)
    .filter((name) => NAME.test(name))
    .map((name) => ({ path: join(folder, name), usedMs: statSync(join(folder, name)).mtimeMs }));
  sets.sort((a, b) => b.usedMs - a.usedMs);
  for (const { path } of sets.slice(MOST_SETS - 1)) rmSync(path, { force: true });
}
