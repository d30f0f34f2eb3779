// Takes the shared libraries and the C headers out of the wheels (zips), streaming: 860 MB of 1.2 GB, about 5 s.

import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { openPromise } from 'yauzl';
import { GanglionError } from '../../../shared/error.ts';
import { toWheelTarget } from './wheel.ts';

/** Where a wheel's files go. */
export interface ExtractFolders {
  readonly library: string;
  readonly headers: string;
}

/**
 * Extracts the needed entries of the wheel at `wheelPath`.
 *
 * @throws GanglionError when it has no library
 */
export async function extractWheel(wheelPath: string, folders: ExtractFolders, signal: AbortSignal): Promise<void> {
  let libraries = 0;
  const zip = await openPromise(wheelPath);
  try {
    for await (const entry of zip.eachEntry()) {
      signal.throwIfAborted();
      const target = toWheelTarget(entry.fileName);
      if (target === undefined) continue;
      const isLibrary = target.kind === 'library';
      const path = join(isLibrary ? folders.library : folders.headers, target.path);
      const mode = target.path.includes('/bin/') ? 0o755 : 0o644;
      await mkdir(dirname(path), { recursive: true });
      // yauzl fails the stream when the size differs from the directory's; the hash of the whole wheel covers the content
      await pipeline(await zip.openReadStreamPromise(entry), createWriteStream(path, { mode }), { signal });
      if (isLibrary) libraries++;
    }
  } finally {
    zip.close();
  }
  if (libraries === 0) throw new GanglionError('environment', `${basename(wheelPath)} has no library`);
}
