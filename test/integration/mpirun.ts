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
  const source = join(REPOSITORY, 'test', 'fixtures', 'kill-in-mpi.c');
  const linked = ['-Wl,--no-as-needed', mpi.library, `-Wl,-rpath,${dirname(mpi.library)}`];
  execFileSync('cc', ['-shared', '-fPIC', '-O1', '-o', library, source, '-ldl', '-lpthread', ...linked]);
}

const ENVIRONMENT = {
  ...{ OMPI_ALLOW_RUN_AS_ROOT: '1', OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: '1' },
  GANGLION_NODE_DEADLINE: '60', // of a start that fails
};

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

/**
 * Runs ranks to their end. Open MPI's own start kills a rank now and then (docs/clusters.md): a job that has said nothing yet is started
 * again, which is told.
 *
 * @param hasBegun whether what it has printed shows that its start was whole
 */
export async function endOf(begin: () => Running, hasBegun: (output: string) => boolean): Promise<Ended> {
  for (let attempt = 1; ; attempt++) {
    const ended = await begin().ended;
    if (attempt === 3 || hasBegun(`${ended.stdout}\n${ended.stderr}`)) return ended;
    console.warn(`Open MPI's start failed, the job is started again: ${JSON.stringify(ended)}`);
  }
}

/** Runs `ganglion train` on so many nodes, to its end. */
export function trainOnNodes(nodes: number, args: readonly string[], options?: MpirunOptions): Promise<Ended> {
  const hasBegun = (output: string): boolean =>
    /^(training|resuming|finished|ganglion)\b(?!: expected all other nodes)/m.test(output);
  return endOf(() => mpirun(nodes, [MAIN, 'train', ...args], options), hasBegun);
}
