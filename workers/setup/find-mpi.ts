// The Open MPI of this machine, for set-up and doctor.
import { realpathSync } from 'node:fs';
import { messageOf } from '../../shared/error.ts';
import { findMpi, isOfWheel, type Mpi } from '../../shared/mpi.ts';
import { runCommand } from '../build/command.ts';
import { checkMpi } from './check-mpi.ts';

/** As `findMpi`, by this machine's files. @throws GanglionError `usage` when the environment names no library */
export function findMpiHere(): Mpi | undefined {
  return findMpi((path) => {
    try {
      return realpathSync(path);
    } catch {
      return undefined;
    }
  });
}

/** Its version and path, or what is wrong with it; null where there is none. */
export async function describeMpi(): Promise<string | null> {
  try {
    const mpi = findMpiHere();
    if (mpi === undefined) return null;
    if (isOfWheel(mpi)) checkMpi(process.env);
    if (mpi.mpirun === undefined) return `Open MPI ${mpi.major}, ${mpi.library}, without mpirun`;
    const { stdout } = await runCommand(mpi.mpirun, ['--version']);
    const version = /\(Open MPI\) (\S+)/.exec(stdout)?.[1];
    return version === undefined
      ? `${mpi.mpirun} is no mpirun of Open MPI, ${mpi.library} is its library`
      : `Open MPI ${version}, ${mpi.library}`;
  } catch (error) {
    return messageOf(error);
  }
}
