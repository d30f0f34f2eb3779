import { execFileSync } from 'node:child_process';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { readShared } from '../../../../coordinator/http/shared-files.ts';
import { scratchFolder } from '../../scratch.ts';

it('gives everybody the same bytes, and new ones once the file has changed', async () => {
  const path = join(scratchFolder(), 'epochs.gif');
  writeFileSync(path, 'one');
  const [first, second] = await Promise.all([readShared(path, 100), readShared(path, 100)]);
  expect(String(first)).toBe('one');
  expect(second).toBe(first);
  expect(await readShared(path, 100)).toBe(first);
  writeFileSync(`${path}.new`, 'two');
  renameSync(`${path}.new`, path);
  expect(String(await readShared(path, 100))).toBe('two');
});

it('gives nothing where there is no regular file', async () => {
  const folder = scratchFolder();
  mkdirSync(join(folder, 'folder'));
  execFileSync('mkfifo', [join(folder, 'pipe')]);
  writeFileSync(join(folder, 'large'), 'x'.repeat(101));
  for (const name of ['missing', 'folder', 'pipe', 'large'])
    expect(await readShared(join(folder, name), 100)).toBeUndefined();
});
