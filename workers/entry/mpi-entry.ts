// Entry file of the check of Open MPI, which the coordinator imports before it loads the library of the cache or starts its mpirun.
import { checkMpi } from '../setup/check-mpi.ts';

/** @throws GanglionError `environment` when the cache's is not whole, or somebody else could change it */
export function check(env: NodeJS.ProcessEnv): void {
  checkMpi(env);
}
