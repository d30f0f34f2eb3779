// Memory for the images of a set: all of it at once, before they are read, so that what cannot fit is said before any work is done.
import { constants } from 'node:buffer';
import { totalmem } from 'node:os';
import { GanglionError } from '../../shared/error.ts';

/** Of the machine's memory, the set's share at most: replicas and the system need the rest. */
const SHARE = 0.8;

function toSize(bytes: number): string {
  return bytes >= 2 ** 30 ? `${(bytes / 2 ** 30).toFixed(1)} GiB` : `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

/** Most bytes of a set on this machine, or in its control group. */
function mostBytes(): number {
  const limit = process.constrainedMemory();
  const memory = limit > 0 ? Math.min(totalmem(), limit) : totalmem();
  return Math.min(SHARE * memory, constants.MAX_LENGTH);
}

/** @throws GanglionError `data` that says how much images need, where that is more than there is */
export function checkFits(count: number, size: number, name: string, most = mostBytes()): void {
  if (count * size <= most) return;
  const expected = `at most ${toSize(most)}, which is what this machine has for it`;
  const needed = toSize(count * size);
  throw new GanglionError('data', `${name}: ${count} images need ${needed} of memory: expected ${expected}`);
}

/**
 * Shared memory for `count` images of `size` bytes each.
 * @throws GanglionError as {@link checkFits}
 */
export function allocateImages(count: number, size: number, name: string): Uint8Array {
  checkFits(count, size, name);
  try {
    return new Uint8Array(new SharedArrayBuffer(count * size));
  } catch (error) {
    if (error instanceof RangeError) checkFits(count, size, name, 0);
    throw error;
  }
}
