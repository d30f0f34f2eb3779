// The kernels with NEON have the bits of those with AVX2: every kernel on the same numbers, on arm64 by qemu-user.
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { COMPILER_FLAGS } from '../../workers/engines/kernels/library.ts';
import { scratchFolder } from '../unit/scratch.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

it('all kernels and both updates', () => {
  const folder = scratchFolder();
  mkdirSync(folder, { recursive: true });
  const run = (compiler: string, set: string, source: string, ...emulator: string[]): string => {
    const program = join(folder, set);
    const sources = ['test/slow/kernel-cases.cc', `workers/engines/kernels/${source}`];
    execFileSync(compiler, [...COMPILER_FLAGS, '-static', `-DSET=${set}`, ...sources, '-o', program], { cwd: root });
    const [file = program, ...args] = [...emulator, program];
    return execFileSync(file, args, { encoding: 'utf8' });
  };
  const lines = run('g++', 'AVX2', 'avx2.cc').split('\n');
  expect(lines.length).toBe(62);
  expect(lines.filter((line) => line.includes('missing'))).toEqual([]);
  expect(run('aarch64-linux-gnu-g++', 'NEON', 'neon.cc', 'qemu-aarch64-static').split('\n')).toEqual(lines);
});
