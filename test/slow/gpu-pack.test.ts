// test/gpu as far as a machine without a GPU can show it: the archive is small, and what is in it is all that its run needs.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { toCacheFolder } from '../../shared/cache-folder.ts';
import { REPOSITORY, scratchFolder, start } from '../integration/ganglion.ts';

const scratch = scratchFolder('gpu-pack');

it('packs what a GPU machine needs into 45 MiB, which runs by itself in an empty folder', async () => {
  mkdirSync(scratch('unpacked'), { recursive: true });
  const archive = scratch('archive.tar.xz');
  const packed = await start(join(REPOSITORY, 'test', 'gpu', 'pack'), [archive]).ended;
  expect(packed).toMatchObject({ exitCode: 0 });
  expect(statSync(archive).size).toBeLessThan(45 * 2 ** 20);

  execFileSync('tar', ['-xJf', archive, '-C', scratch('unpacked')]);
  const top = join(scratch('unpacked'), 'ganglion-gpu');
  expect(readdirSync(join(top, 'cache')).some((name) => name.startsWith('kernels-'))).toBe(true);
  const env = {
    ...{ GANGLION_CUDA: 'emulated', GANGLION_CACHE: toCacheFolder(process.env), OUT: scratch('out') },
    ...{ PATH: '/usr/bin:/bin', NODE_PATH: '' },
  };
  const { exitCode, stdout } = await start(join(top, 'test', 'gpu', 'run'), ['quick'], { cwd: '/', env }).ended;
  expect(stdout).toContain('20 comparisons, every bit the same');
  expect(stdout).toMatch(/^cuda:0: a step of 8 images copies \d+ bytes from the host and \d+ back.*; 0 between GPUs$/m);
  expect(stdout).toMatch(/^cuda:0,cuda:1: a step of 8 images .*; [1-9]\d+ between GPUs$/m);
  expect(stdout).toContain('6 sections passed, 0 failed, 1 skipped');
  expect(exitCode).toBe(0);
});

it('refuses another word than quick and full', async () => {
  const { exitCode, stderr } = await start(join(REPOSITORY, 'test', 'gpu', 'run'), ['fast']).ended;
  expect([exitCode, stderr]).toEqual([2, 'expected quick or full\n']);
});
