// How many files the system lets this process open at once (ulimit -n), sockets included.
import { readFileSync } from 'node:fs';

/** Infinity where the system does not tell. */
export function openFilesLimit(limits = '/proc/self/limits'): number {
  try {
    const [, soft] = /^Max open files +(\d+)/m.exec(readFileSync(limits, 'utf8')) ?? [];
    return Number(soft ?? Number.POSITIVE_INFINITY);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
