// The checkpoints of a run as a report lists them: what their headers say. `ganglion inspect` verifies them, which reads them whole.
import { open } from 'node:fs/promises';
import { basename } from 'node:path';
import { z } from 'zod';
import { listCheckpoints, stepOfCheckpoint } from '../checkpoint.ts';

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
  const file = await open(path);
  try {
    const { size, mtimeMs } = await file.stat();
    const known = { name: basename(path), step: stepOfCheckpoint(path), bytes: size, time: mtimeMs };
    const start = await file.read(Buffer.alloc(8), 0, 8, 0);
    const length = start.bytesRead === 8 ? Number(start.buffer.readBigUInt64LE()) : 0;
    if (length > MOST_HEADER) return { ...known, stateSha256: null };
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, 8);
    return { ...known, stateSha256: hashIn(buffer.toString('utf8', 0, bytesRead)) };
  } finally {
    await file.close();
  }
}

function hashIn(header: string): string | null {
  try {
    return Header.parse(JSON.parse(header)).__metadata__.stateSha256;
  } catch {
    return null;
  }
}
