// Whether this process is one of a job of mpirun or srun, as their environment says; and whether it has a terminal.

/** Variable that `ganglion launch` gives its ranks: `terminal` where it is on one itself, else `plain`. */
export const LAUNCH = 'GANGLION_LAUNCH';

/** Number of this process in its job; undefined for one that is alone. */
export function rankOf(env: NodeJS.ProcessEnv = process.env): number | undefined {
  const text = env.OMPI_COMM_WORLD_RANK ?? env.PMIX_RANK;
  return text === undefined || !/^\d{1,9}$/.test(text) ? undefined : Number(text);
}

/** Ranks of the job on this machine, which share its cores; 1 for a process that is alone. */
export function localRanks(env: NodeJS.ProcessEnv = process.env): number {
  if (rankOf(env) === undefined) return 1;
  const text = env.OMPI_COMM_WORLD_LOCAL_SIZE ?? /^\d+/.exec(env.SLURM_STEP_TASKS_PER_NODE ?? '')?.[0] ?? '1';
  return /^[1-9]\d{0,5}$/.test(text) ? Number(text) : 1;
}

/** The port of this process, where every process of the job on this machine is given the same one. 0: any, as where there is none above. */
export function portHere(port: number, env: NodeJS.ProcessEnv = process.env): number {
  const text = rankOf(env) === undefined ? '0' : (env.OMPI_COMM_WORLD_LOCAL_RANK ?? env.SLURM_LOCALID ?? '0');
  const own = port === 0 || !/^\d{1,5}$/.test(text) ? port : port + Number(text);
  return own > 65_535 ? 0 : own;
}

/** Whether people look at a stream. mpirun gives every rank a pseudo-terminal, whose other end may be a file: there `launch` knows. */
export function isWatched(stream: { readonly isTTY?: boolean }, env: NodeJS.ProcessEnv = process.env): boolean {
  return rankOf(env) === undefined ? stream.isTTY === true : env[LAUNCH] === 'terminal' && stream.isTTY === true;
}

/** Variable that `ganglion launch` gives its ranks: a name of its own, a slash, and the number of the mpirun, 1 or 2. */
export const JOB = 'GANGLION_JOB';

/** One process of a job, which knows that no other of it that had a folder before has it still. */
export interface JobMember {
  readonly job: string;
  /** Number of the mpirun within the job, a slash, and the rank. */
  readonly member: string;
}

/** Undefined for a process that is alone. Names are short and printable. */
export function jobMemberOf(env: NodeJS.ProcessEnv = process.env): JobMember | undefined {
  const rank = rankOf(env);
  if (rank === undefined) return undefined;
  const [, launched, start = '0'] = /^([\w-]{1,64})\/(\d)$/.exec(env[JOB] ?? '') ?? [];
  // Of version 5 and Slurm, of version 4.
  const job = launched ?? env.PMIX_NAMESPACE ?? env.OMPI_MCA_ess_base_jobid;
  return job !== undefined && /^[\w.@-]{1,128}$/.test(job) ? { job, member: `${start}/${rank}` } : undefined;
}
