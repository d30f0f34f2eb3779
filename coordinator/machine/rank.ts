// Whether this process is one of a job of mpirun or srun, as their environment says; and whether it has a terminal.

/** Variable that `ganglion launch` gives its ranks: `terminal` where it is on one itself, else `plain`. */
export const LAUNCH = 'GANGLION_LAUNCH';

/** Number of this process in its job; undefined for one that is alone. */
export function rankOf(env: NodeJS.ProcessEnv = process.env): number | undefined {
  const text = env.OMPI_COMM_WORLD_RANK ?? env.PMIX_RANK;
  return text === undefined || !/^\d{1,9}$/.test(text) ? undefined : Number(text);
}

/** Whether people look at a stream. mpirun gives every rank a pseudo-terminal, whose other end may be a file: there `launch` knows. */
export function isWatched(stream: { readonly isTTY?: boolean }, env: NodeJS.ProcessEnv = process.env): boolean {
  return rankOf(env) === undefined ? stream.isTTY === true : env[LAUNCH] === 'terminal' && stream.isTTY === true;
}
