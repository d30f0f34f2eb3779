// The Open MPI of this machine.
import { realpathSync } from 'node:fs';
import { findMpi, isOfWheel, type Mpi } from '../../shared/mpi.ts';

/** As `findMpi`, by this machine's files. @throws GanglionError `usage` when the environment names no library */
export function findMpiHere(env: NodeJS.ProcessEnv = process.env): Mpi | undefined {
  return findMpi((path) => {
    try {
      return realpathSync(path);
    } catch {
      return undefined;
    }
  }, env);
}

const CHECK = new URL('../../workers/entry/mpi-entry.js', import.meta.url);

/**
 * The Open MPI to load or to start: as {@link findMpiHere}, and where it is the cache's it is whole.
 *
 * @throws GanglionError `environment` where it is not, or somebody else could change it
 */
export async function requireMpi(env: NodeJS.ProcessEnv = process.env): Promise<Mpi | undefined> {
  const mpi = findMpiHere(env);
  if (mpi === undefined || !isOfWheel(mpi, env)) return mpi;
  const { check }: { check(env: NodeJS.ProcessEnv): void } = await import(CHECK.href);
  check(env);
  return mpi;
}
