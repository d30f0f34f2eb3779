// Makes a folder and those above it. Not by Node's recursive form: it never returns where nothing can be made, as in /proc, and calls a
// read-only file system "no such file or directory".
import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { systemErrorCode } from '../../shared/error.ts';

/** @throws Node's system error when one cannot be made. */
export function makeFolder(path: string): void {
  if (existsSync(path)) return;
  makeFolder(dirname(path));
  try {
    mkdirSync(path);
  } catch (error) {
    if (systemErrorCode(error) !== 'EEXIST') throw error;
  }
}
