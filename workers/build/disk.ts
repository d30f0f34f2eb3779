// Whether the disk has room for what a set-up writes.
import { statfs } from 'node:fs/promises';
import { GanglionError } from '../../shared/error.ts';

const NOT_ENOUGH = 'not enough disk space';

/** @throws GanglionError when the cache folder's file system has less free than `needed` bytes. */
export async function checkDisk(cacheFolder: string, needed: number): Promise<void> {
  const { bavail, bsize } = await statfs(cacheFolder);
  if (bavail * bsize < needed) throw diskError(cacheFolder, bavail * bsize, needed);
}

/** Whether it is an error of {@link diskError}. */
export function isDiskError({ message }: GanglionError): boolean {
  return message.startsWith(NOT_ENOUGH);
}

/** The error for a disk that is, or ran, full; `freeBytes` is undefined when that is no longer known. */
export function diskError(cacheFolder: string, freeBytes: number | undefined, needed: number): GanglionError {
  const found = freeBytes === undefined ? 'the disk ran full' : `${toMegabytes(freeBytes)} MB are free`;
  return new GanglionError(
    'environment',
    `${NOT_ENOUGH}: set-up needs ${toMegabytes(needed)} MB in ${cacheFolder}, ${found}; free some, or set GANGLION_CACHE to a folder on another disk`,
  );
}

/** Whole megabytes (10^6 bytes). */
function toMegabytes(bytes: number): number {
  return Math.round(bytes / 1e6);
}
