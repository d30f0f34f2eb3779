// Ranks of Open MPI on this machine, as mpirun starts them.
import { findMpiHere } from '../../coordinator/machine/mpi.ts';
import { MAIN, type Running, start } from './ganglion.ts';

const mpi = findMpiHere();

/** Whether there is an Open MPI: `ganglion setup --mpi`. */
export const HAS_MPI = mpi?.mpirun !== undefined;

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
