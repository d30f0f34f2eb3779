// The binaries in the repository are what their sources give: built again with the compiler of workers/engines/wasm/build.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { scratchFolder } from '../unit/scratch.ts';

const FOLDER = new URL('../../workers/engines/wasm/', import.meta.url);

it('workers/engines/wasm/build gives the bytes in the repository', () => {
  const folder = join(scratchFolder(), 'wasm');
  mkdirSync(folder);
  execFileSync(fileURLToPath(new URL('build', FOLDER)), [folder]);
  for (const name of ['kernels.wasm', 'kernels-exact.wasm', 'SHA256SUMS']) {
    expect(readFileSync(join(folder, name)).equals(readFileSync(new URL(name, FOLDER))), name).toBe(true);
  }
});
