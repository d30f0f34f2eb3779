// A folder of the cache that something is loaded from. Its manifest is written last, when every file is on the disk, and has size, time and
// SHA-256 of each: a library that was cut short or changed would end the process by a signal, or compute something else.
import { createHash } from 'node:crypto';
import { closeSync, existsSync, fstatSync, lstatSync, openSync, readSync } from 'node:fs';
import { chmod, open, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { GanglionError, messageOf, systemErrorCode } from '../../shared/error.ts';
import { NoCacheFile, readCacheFile } from './cache-file.ts';
import { checkTrusted } from './trusted-path.ts';

const MANIFEST = 'manifest.json';
/** That of a thousand files has 200 kB. */
const MOST_MANIFEST_BYTES = 2 ** 22;
/** Hashed in some milliseconds: the kernels, add-ons, scripts. */
const SMALL_BYTES = 2 ** 22;
const PIECE_BYTES = 2 ** 20;
/** No fault of a folder: there is none. */
export const ABSENT = 'is not there';

/** What a manifest says beside the files, such as versions. */
export type About = Readonly<Record<string, string | number>>;

interface SealedFile {
  /** Below the folder. */
  readonly path: string;
  readonly bytes: number;
  readonly mtimeMs: number;
  readonly sha256: string;
}

/** Brings a folder to the disk, lets nobody else write it, and writes its manifest. */
export async function sealFolder(folder: string, about: About = {}): Promise<void> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files: SealedFile[] = [];
  await chmod(folder, 0o755); // also where the umask would let the group write
  for (const entry of entries) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isDirectory()) await chmod(path, 0o755);
    else if (path !== join(folder, MANIFEST)) files.push(await sealFile(path, path.slice(folder.length + 1)));
  }
  await writeFile(join(folder, MANIFEST), `${JSON.stringify({ ...about, files }, null, 2)}\n`, {
    mode: 0o644,
    flush: true,
  });
}

async function sealFile(path: string, name: string): Promise<SealedFile> {
  const file = await open(path, 'r');
  try {
    const { mode } = await file.stat();
    await file.chmod(mode & 0o755);
    await file.sync();
    const { size, mtimeMs } = await file.stat();
    return { path: name, bytes: size, mtimeMs, sha256: sha256Of(file.fd) };
  } finally {
    await file.close();
  }
}

/** What of a sealed folder is checked: every file's size and the content of small ones, or also that large ones have not changed. */
export type Care = 'quick' | 'whole';

/**
 * Why nothing can be loaded from a sealed folder. A large file is hashed only where its time differs from the manifest's, as in a copy of
 * the cache, and only with `whole`.
 *
 * @param cacheFolder that it lies in; null for one of the package: who could change that could change this program
 * @param about what the manifest must say
 * @returns undefined when all is as it was sealed; {@link ABSENT} when there is no such folder
 * @throws GanglionError `environment` when somebody else could change it
 */
export function faultOf(
  folder: string,
  cacheFolder: string | null,
  about: About = {},
  care: Care = 'quick',
): string | undefined {
  const trust = (names: string[]): void => {
    if (cacheFolder === null) return;
    checkTrusted(
      names.map((name) => join(folder, name)),
      cacheFolder,
    );
  };
  try {
    trust([MANIFEST]);
    const sealed = readManifest(folder, about);
    trust(sealed.map(({ path }) => path));
    for (const file of sealed) {
      const fault = faultOfFile(join(folder, file.path), file, care);
      if (fault !== undefined) return `${file.path} ${fault}`;
    }
    return undefined;
  } catch (error) {
    if (error instanceof GanglionError) throw error;
    const code = systemErrorCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return existsSync(folder) ? 'is not whole' : ABSENT;
    if (error instanceof DamagedManifest || code !== undefined) return `cannot be read: ${messageOf(error)}`;
    throw error;
  }
}

class DamagedManifest extends Error {}

function readManifest(folder: string, about: About): readonly SealedFile[] {
  const path = join(folder, MANIFEST);
  const manifest = parse(readManifestFile(path));
  for (const [name, expected] of Object.entries(about)) {
    if (manifest[name] !== expected) throw new DamagedManifest(`${MANIFEST} is of another ${name}`);
  }
  const { files } = manifest;
  if (!Array.isArray(files) || files.length === 0 || !files.every(isSealedFile)) {
    throw new DamagedManifest(`${MANIFEST} has no hashes`);
  }
  return files;
}

function readManifestFile(path: string): string {
  try {
    return readCacheFile(path, MOST_MANIFEST_BYTES).toString();
  } catch (error) {
    if (error instanceof NoCacheFile) throw new DamagedManifest(`${MANIFEST} is no manifest`);
    throw error;
  }
}

function parse(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return { ...value };
  } catch {
    // cut short
  }
  throw new DamagedManifest(`${MANIFEST} is no manifest`);
}

function isSealedFile(value: unknown): value is SealedFile {
  if (typeof value !== 'object' || value === null) return false;
  const { path, bytes, mtimeMs, sha256 }: Partial<Record<keyof SealedFile, unknown>> = value;
  return (
    [path, sha256].every((text) => typeof text === 'string') && [bytes, mtimeMs].every((n) => typeof n === 'number')
  );
}

function faultOfFile(path: string, { bytes, mtimeMs, sha256 }: SealedFile, care: Care): string | undefined {
  if (!lstatSync(path).isFile()) return 'is no file';
  const descriptor = openSync(path, 'r');
  try {
    const stats = fstatSync(descriptor);
    if (stats.size !== bytes) return `was changed: expected ${bytes} bytes, got ${stats.size}`;
    const isHashed = bytes <= SMALL_BYTES || (care === 'whole' && stats.mtimeMs !== mtimeMs);
    return !isHashed || sha256Of(descriptor) === sha256 ? undefined : 'was changed: it has another SHA-256';
  } finally {
    closeSync(descriptor);
  }
}

function sha256Of(descriptor: number): string {
  const hash = createHash('sha256');
  const piece = Buffer.allocUnsafe(PIECE_BYTES);
  for (let at = 0, read = 1; read > 0; at += read) {
    read = readSync(descriptor, piece, 0, PIECE_BYTES, at);
    hash.update(piece.subarray(0, read));
  }
  return hash.digest('hex');
}
