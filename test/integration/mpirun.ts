// Ranks of Open MPI on this machine, as mpirun starts them.
import { execFileSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { findMpiHere } from '../../coordinator/machine/mpi.ts';
import { MAIN, REPOSITORY, type Running, start } from './ganglion.ts';

const mpi = findMpiHere();

/** Whether there is an Open MPI: `ganglion setup --mpi`. */
export const HAS_MPI = mpi?.mpirun !== undefined;

/** Whether a job goes on when a rank dies. */
export const HAS_FAULT_TOLERANCE = HAS_MPI && mpi?.major === 5;

/** Compiles what kills ranks inside of MPI, to be named by GANGLION_LIBMPI. */
export function compileMpiKiller(library: string): void {
  if (!mpi) throw new Error('there is no MPI');
  const source = join(REPOSITORY, 'test', 'fixtures', 'kill-in-mpi.c');
  const linked = ['-Wl,--no-as-needed', mpi.library, `-Wl,-rpath,${dirname(mpi.library)}`];
  execFileSync('cc', ['-shared', '-fPIC', '-O1', '-o', library, source, '-ldl', '-lpthread', ...linked]);
}

const ENVIRONMENT = { OMPI_ALLOW_RUN_AS_ROOT: '1', OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: '1' };

export interface MpirunOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** Whether the job goes on when a rank dies. */
  readonly survives?: boolean;
}

/** Starts so many ranks of a program of Node.js. */
export function mpirun(
  ranks: number,
  program: readonly string[],
  { env = {}, survives = false }: MpirunOptions = {},
): Running {
  const faults = survives ? ['--with-ft', 'ulfm'] : [];
  const flags = [...faults, '--oversubscribe', '--bind-to', 'none', '-n', String(ranks)];
  return start(mpi?.mpirun ?? 'mpirun', [...flags, process.execPath, ...program], { env: { ...ENVIRONMENT, ...env } });
}

/** Starts `ganglion train` on so many nodes. */
export function trainOnNodes(nodes: number, args: readonly string[], options?: MpirunOptions): Running {
  return mpirun(nodes, [MAIN, 'train', ...args], options);
}
