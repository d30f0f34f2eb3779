// Ranks of Open MPI on this machine, as mpirun starts them.
import { execFileSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { findMpiHere } from '../../coordinator/machine/mpi.ts';
import { type Ended, MAIN, REPOSITORY, type Running, start } from './ganglion.ts';

const mpi = findMpiHere();

/** Whether there is an Open MPI: `ganglion setup --mpi`. */
export const HAS_MPI = mpi?.mpirun !== undefined;

/** Whether a job goes on when a rank dies. */
export const HAS_FAULT_TOLERANCE = HAS_MPI && mpi?.major === 5;

/** Compiles what kills ranks inside of MPI, to be named by GANGLION_LIBMPI. */
export function compileMpiKiller(library: string): void {
  if (!mpi) throw new Error('there is no MPI');
  compile('kill-in-mpi.c', library, '-Wl,--no-as-needed', mpi.library, `-Wl,-rpath,${dirname(mpi.library)}`);
}

/** Compiles what says when anybody but malloc moves the heap's end, to be named by LD_PRELOAD. */
export function compileHeapWatch(library: string): void {
  compile('heap-watch.c', library);
}

function compile(source: string, library: string, ...flags: string[]): void {
  const path = join(REPOSITORY, 'test', 'fixtures', source);
  execFileSync('cc', ['-shared', '-fPIC', '-O1', '-o', library, path, '-ldl', '-lpthread', ...flags]);
}

const ENVIRONMENT = { OMPI_ALLOW_RUN_AS_ROOT: '1', OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: '1' };

export interface MpirunOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** Whether the job goes on when a rank dies. */
  readonly survives?: boolean;
  /** Working folder of every rank. */
  readonly folders?: readonly string[];
}

/** Starts so many ranks of a program of Node.js. */
export function mpirun(
  ranks: number,
  program: readonly string[],
  { env = {}, survives = false, folders }: MpirunOptions = {},
): Running {
  const faults = survives ? ['--with-ft', 'ulfm'] : [];
  const flags = [...faults, '--oversubscribe', '--bind-to', 'none'];
  const startRanks = (count: number, ...more: string[]) => [
    ...['-n', String(count), ...more],
    ...[process.execPath, ...program],
  ];
  const words = folders
    ? folders.flatMap((folder, i) => [...(i > 0 ? [':'] : []), ...startRanks(1, '-wdir', folder)])
    : startRanks(ranks);
  return start(mpi?.mpirun ?? 'mpirun', [...flags, ...words], { env: { ...ENVIRONMENT, ...env } });
}

/** Runs `ganglion train` on so many nodes, to its end. */
export function trainOnNodes(nodes: number, args: readonly string[], options?: MpirunOptions): Promise<Ended> {
  return mpirun(nodes, [MAIN, 'train', ...args], options).ended;
}
