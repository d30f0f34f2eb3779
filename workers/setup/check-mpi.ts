// The Open MPI of the cache, before it is loaded or its mpirun started.
import { toCacheFolder } from '../../shared/cache-folder.ts';
import { GanglionError } from '../../shared/error.ts';
import { mpiFolder } from '../../shared/mpi.ts';
import { faultOf } from '../build/sealed-folder.ts';

/** @throws GanglionError `environment` when it is not as it was set up, or somebody else could change it */
export function checkMpi(env: NodeJS.ProcessEnv): void {
  const cacheFolder = toCacheFolder(env);
  const folder = mpiFolder(cacheFolder);
  const fault = faultOf(folder, cacheFolder);
  if (fault !== undefined) throw new GanglionError('environment', `${folder} ${fault}; run: ganglion setup --mpi`);
}
