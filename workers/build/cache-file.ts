// Reads a file of the cache folder that is kept for speed. What lies in its place may be anything: a pipe would hang, and a file without
// an end take the memory.
import { closeSync, constants, fstatSync, lstatSync, openSync, readFileSync } from 'node:fs';

/** What lies there is none of the files that are kept there. */
export class NoCacheFile extends Error {}

/** @throws NoCacheFile, or Node's error when nothing is there */
export function readCacheFile(path: string, mostBytes: number): Buffer {
  if (!lstatSync(path).isFile()) throw new NoCacheFile(`${path} is no file`);
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const { size } = fstatSync(descriptor);
    if (size > mostBytes) throw new NoCacheFile(`${path} has ${size} bytes, expected at most ${mostBytes}`);
    return readFileSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
