// The checkpoints of a run as a report lists them: what their headers say. `ganglion inspect` verifies them, which reads them whole.
import { lstat, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { z } from 'zod';
import { listCheckpoints, stepOfCheckpoint } from '../checkpoints/checkpoint.ts';
import { openRegular } from '../files/regular-file.ts';

export interface StoredCheckpoint {
  readonly name: string;
  readonly step: number;
  readonly bytes: number;
  /** When the file was written, in milliseconds since 1970. */
  readonly time: number;
  /** Of the state; null where the header cannot be read. */
  readonly stateSha256: string | null;
}

/** Newest ones that are listed; others are counted. */
const MOST = 50;
/** A header has some 10 kB. */
const MOST_HEADER = 2 ** 20;
const Header = z.object({ __metadata__: z.object({ stateSha256: z.string() }) });

/** Newest first. @throws GanglionError `checkpoint` when the folder cannot be read */
export async function readCheckpoints(
  folder: string,
): Promise<{ readonly checkpoints: readonly StoredCheckpoint[]; readonly more: number }> {
  const paths = listCheckpoints(folder);
  const checkpoints: StoredCheckpoint[] = [];
  for (const path of paths.slice(0, MOST)) checkpoints.push(await readOne(path));
  return { checkpoints, more: paths.length - checkpoints.length };
}

async function readOne(path: string): Promise<StoredCheckpoint> {
  const { size, mtimeMs } = await stat(path).catch(() => lstat(path)); // a link to nothing is there, too
  const stateSha256 = await readHash(path).catch(() => null);
  return { name: basename(path), step: stepOfCheckpoint(path), bytes: size, time: mtimeMs, stateSha256 };
}

/** @throws Error when the header cannot be read */
async function readHash(path: string): Promise<string> {
  const file = await openRegular(path);
  try {
    const start = await file.read(Buffer.alloc(8), 0, 8, 0);
    const length = start.bytesRead === 8 ? Number(start.buffer.readBigUInt64LE()) : 0;
    if (length > MOST_HEADER) throw new Error(`expected a header of at most ${MOST_HEADER} bytes, got ${length}`);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, 8);
    return Header.parse(JSON.parse(buffer.toString('utf8', 0, bytesRead))).__metadata__.stateSha256;
  } finally {
    await file.close();
  }
}
