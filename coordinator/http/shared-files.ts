// Files for answers. Every answer with the same content holds the same bytes, so slow readers of a large file cost its size once.
import { stat } from 'node:fs/promises';
import { systemErrorCode } from '../../shared/error.ts';
import { OddFile, readRegular } from '../files/regular-file.ts';

const contents = new Map<string, { readonly version: string; readonly bytes: WeakRef<Buffer> }>();
const reads = new Map<string, Promise<Buffer>>();

/** The bytes of a file; undefined where there is no regular file of so many bytes at most. @throws Error when it cannot be read */
export async function readShared(path: string, mostBytes: number): Promise<Buffer | undefined> {
  try {
    const file = await stat(path);
    const version = `${file.ino} ${file.size} ${file.mtimeMs}`;
    const known = contents.get(path);
    const shared = known?.version === version ? known.bytes.deref() : undefined;
    if (shared) return shared;
    const key = `${version} ${path}`;
    const reading = reads.get(key) ?? readRegular(path, mostBytes).finally(() => reads.delete(key));
    reads.set(key, reading);
    const bytes = await reading;
    contents.set(path, { version, bytes: new WeakRef(bytes) });
    return bytes;
  } catch (error) {
    if (error instanceof OddFile || systemErrorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
