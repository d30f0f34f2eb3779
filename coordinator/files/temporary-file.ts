// The name of a temporary file tells which process writes it: what a killed one has left goes at the next use of the folder, what a living
// one writes stays.
import { createHash, randomBytes } from 'node:crypto';
import { readdirSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { systemErrorCode } from '../../shared/error.ts';
import { fateOf, type LockOwner, ownerHere } from './lock-owner.ts';

/** `.config.json.` place, process, its start, random: `.0a1b2c3d-123-456-9f8e7d6c.tmp`. */
const NAME = /^\.(.+)\.([0-9a-f]{8})-(\d+)-(\d+)-[0-9a-f]{8}\.tmp$/;
/** A file of a process of which nothing can be known from here, such as one of another machine, is left over after this time. */
const LEFT_MS = 3_600_000;

let here: { readonly owner: LockOwner; readonly place: string } | undefined;

/** This process, and a name for the boot and the container in which its number means something. */
function placeHere(): { readonly owner: LockOwner; readonly place: string } {
  if (here) return here;
  const owner = ownerHere(1);
  const hash = createHash('sha256').update(JSON.stringify([owner.host, owner.boot, owner.pidNamespace]));
  here = { owner, place: hash.digest('hex').slice(0, 8) };
  return here;
}

/** A path for the content of `path` until it is whole, in the same folder. */
export function temporaryPath(path: string): string {
  const { owner, place } = placeHere();
  const id = [place, owner.pid, owner.started ?? 0, randomBytes(4).toString('hex')].join('-');
  return join(dirname(path), `.${basename(path)}.${id}.tmp`);
}

/**
 * Removes the temporary files in a folder whose process is gone. What cannot be removed stays: it is in nobody's way.
 *
 * @param isOwn whether nobody but this process writes a file, by its name: then what another machine has left for it goes at once
 */
export function removeLeftTemporaries(folder: string, isOwn: (name: string) => boolean = () => false): void {
  for (const entry of listFiles(folder)) {
    const path = join(folder, entry);
    if (!isLeft(path, isOwn)) continue;
    try {
      rmSync(path, { force: true });
    } catch (error) {
      if (systemErrorCode(error) === undefined) throw error;
    }
  }
}

/** None of a folder that cannot be read. */
function listFiles(folder: string): string[] {
  try {
    const entries = readdirSync(folder, { withFileTypes: true });
    return entries.filter((entry) => entry.isFile()).map(({ name }) => name);
  } catch (error) {
    if (systemErrorCode(error) === undefined) throw error;
    return [];
  }
}

function isLeft(path: string, isOwn: (name: string) => boolean): boolean {
  const [, target, place, pid, started] = NAME.exec(basename(path)) ?? [];
  if (target === undefined) return false;
  const { owner, place: known } = placeHere();
  const writer = { ...owner, pid: Number(pid), started: owner.started === null ? null : Number(started) };
  const fate = place === known ? fateOf(writer) : 'unknown';
  if (fate !== 'unknown') return fate === 'dead';
  if (isOwn(target)) return true;
  const { mtimeMs } = statSync(path, { throwIfNoEntry: false }) ?? { mtimeMs: Date.now() };
  return Date.now() - mtimeMs > LEFT_MS;
}

const seen = new Set<string>();

/** As {@link removeLeftTemporaries}, once a folder and process: a folder can have many files. */
export function removeLeftTemporariesOnce(folder: string): void {
  if (seen.has(folder)) return;
  seen.add(folder);
  removeLeftTemporaries(folder);
}
