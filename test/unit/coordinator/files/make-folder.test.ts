import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { makeFolder } from '../../../../coordinator/files/make-folder.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ganglion-folder-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

it('makes a folder and those above it, and leaves one that is there', () => {
  const path = join(folder, 'a', 'b');
  makeFolder(path);
  makeFolder(path);
  expect(statSync(path).isDirectory()).toBe(true);
});

it('throws where a file is in the way', () => {
  writeFileSync(join(folder, 'file'), '');
  expect(() => makeFolder(join(folder, 'file', 'a'))).toThrow('ENOTDIR');
});

it.runIf(process.platform === 'linux')('ends where nothing can be made', () => {
  // Node's recursive mkdir would not return
  expect(() => makeFolder('/proc/ganglion/cache')).toThrow('ENOENT');
});
