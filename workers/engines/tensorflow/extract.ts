// Takes the two shared libraries and the C headers out of the wheel (a zip), streaming: 860 MB of 1.2 GB, about 5 s.

import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { openPromise } from 'yauzl';
import { GanglionError } from '../../../shared/error.ts';
import { SHARED_LIBRARIES, toWheelTarget } from './wheel.ts';

/** Where the wheel's files go. */
export interface ExtractFolders {
  readonly libraries: string;
  readonly headers: string;
}

/**
 * Extracts the needed entries of the wheel at `wheelPath`.
 *
 * @throws GanglionError when the wheel lacks one of them.
 */
export async function extractWheel(wheelPath: string, folders: ExtractFolders, signal: AbortSignal): Promise<void> {
  const libraries: string[] = [];
  const zip = await openPromise(wheelPath);
  try {
    for await (const entry of zip.eachEntry()) {
      signal.throwIfAborted();
      const target = toWheelTarget(entry.fileName);
      if (target === undefined) continue;
      const isLibrary = target.kind === 'library';
      const path = join(isLibrary ? folders.libraries : folders.headers, target.path);
      await mkdir(dirname(path), { recursive: true });
      // yauzl fails the stream when the size differs from the directory's; the hash of the whole wheel covers the content
      await pipeline(await zip.openReadStreamPromise(entry), createWriteStream(path), { signal });
      if (isLibrary) libraries.push(target.path);
    }
  } finally {
    zip.close();
  }
  const missing = SHARED_LIBRARIES.filter((name) => !libraries.includes(name));
  if (missing.length > 0) throw new GanglionError('environment', `the wheel lacks ${missing.join(' and ')}`);
}
