// The Open MPI of this machine.
import { realpathSync } from 'node:fs';
import { findMpi, type Mpi } from '../../shared/mpi.ts';

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
