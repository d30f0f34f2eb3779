import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { lockByFile, lockRunFolder } from '../../../../coordinator/files/run-lock.ts';
import { errorOf, scratchFolder } from '../../scratch.ts';

const IN_USE = (path: string) => `environment: ${path} is in use by process ${process.pid}`;

it('is held once, by whatever name the folder goes, and can be taken again after its release', async () => {
  const folder = scratchFolder();
  const run = join(folder, 'run');
  const release = await lockRunFolder(run); // before the folder is there
  mkdirSync(run);
  symlinkSync(run, join(folder, 'link'));
  for (const path of [run, join(folder, '.', 'x', '..', 'run'), join(folder, 'link')]) {
    expect(await errorOf(() => lockRunFolder(path))).toBe(IN_USE(path));
  }
  const releaseOther = await lockRunFolder(join(folder, 'other'));
  release();
  (await lockRunFolder(run))();
  releaseOther();
});

it('goes with its process, also by kill -9', async () => {
  const run = join(scratchFolder(), 'run');
  const module = new URL('../../../../dist/coordinator/files/run-lock.js', import.meta.url);
  const script = `await (await import('${module}')).lockRunFolder('${run}'); console.log('held'); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  expect(await errorOf(() => lockRunFolder(run))).toBe(`environment: ${run} is in use by process ${child.pid}`);
  child.kill('SIGKILL');
  (await lockRunFolder(run))();
});

it.concurrent('by file, as on systems other than Linux, is held once and can be taken again after its release', async () => {
  const hash = randomUUID();
  const release = await lockByFile(hash, 'runs/a', 2_000);
  expect(await errorOf(() => lockByFile(hash, 'runs/a', 2_000))).toBe(
    'environment: runs/a is in use by another process',
  );
  release();
  (await lockByFile(hash, 'runs/a', 2_000))();
});

it.concurrent('by file, is taken over some time after a kill -9', async () => {
  const hash = randomUUID();
  const module = new URL('../../../../dist/coordinator/files/run-lock.js', import.meta.url);
  const script = `await (await import('${module}')).lockByFile('${hash}', 'runs/a', 2000); console.log('held'); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  child.kill('SIGKILL');
  (await lockByFile(hash, 'runs/a', 2_000))();
});
