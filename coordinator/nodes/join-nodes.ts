// Whether this process is one of several nodes: the programs that start such jobs say so in the environment. A node alone loads nothing.
import { GanglionError } from '../../shared/error.ts';
import { show } from '../../shared/printable.ts';
import { requireMpi } from '../machine/mpi.ts';
import { type Communicator, SINGLE_NODE } from '../training/communicator.ts';
import { EndedElsewhere } from '../training/exchange.ts';
import type { JoinedNodes } from './mpi-communicator.ts';

/** A node, which leaves the others at its end. */
export interface Membership extends Communicator {
  close(): Promise<void>;
}

/** Within this many seconds all nodes must have come to an operation. */
const DEADLINE_S = 600;

const ALONE: Membership = { ...SINGLE_NODE, close: async () => {} };

/**
 * Joins the nodes of the job that this process belongs to.
 *
 * @throws GanglionError `environment` when they cannot be joined, `usage` when the job was started in a way that joins none
 */
export async function joinNodes(env: NodeJS.ProcessEnv = process.env): Promise<Membership> {
  const tasks = Number(env.SLURM_STEP_NUM_TASKS ?? 1);
  const isRank = env.OMPI_COMM_WORLD_SIZE !== undefined || env.PMIX_RANK !== undefined;
  if (!isRank && tasks > 1) throw notJoined(tasks, env);
  // srun of one task may give it a rank, too.
  if (!isRank || (env.OMPI_COMM_WORLD_SIZE ?? env.SLURM_STEP_NUM_TASKS) === '1') return ALONE;
  const nodes = await open(env);
  if (nodes.members.length > 1) return nodes;
  await nodes.close();
  if (tasks > 1) throw notJoined(tasks, env);
  return ALONE;
}

/** What the lines of a node begin with; those of node 0 say no more. */
export function prefixOf({ node }: Communicator): string {
  return node === 0 ? '' : `node ${node}: `;
}

async function open(env: NodeJS.ProcessEnv): Promise<JoinedNodes> {
  const found = await requireMpi(env);
  if (!found) {
    throw new GanglionError('environment', 'started by MPI, but found no libmpi.so.40: expected Open MPI 4 or 5');
  }
  // Open MPI's own settings, of whoever has set none: how processes wait, and no collective that gives data it has not added.
  env.OMPI_MCA_mpi_yield_when_idle ??= '1';
  env.OMPI_MCA_coll ??= '^han';
  env.UCX_DEBUG_SIGNO ??= '0'; // else its library takes SIGHUP, for debuggers
  // Else it tries its hooks by sbrk(page) and sbrk(-page): where the heap cannot grow, as below V8's code, the second takes a page of it away.
  env.UCX_MEM_EVENTS ??= 'n';
  const { openMpi } = await import('./mpi-communicator.ts');
  const isFaultTolerant = /^(1|true)$/.test(env.OMPI_MCA_mpi_ft_enable ?? '');
  return await openMpi({ library: found.library, isFaultTolerant, deadlineMs: deadlineOf(env) * 1000 });
}

function deadlineOf({ GANGLION_NODE_DEADLINE: given }: NodeJS.ProcessEnv): number {
  if (given === undefined) return DEADLINE_S;
  const seconds = Number(given);
  if (Number.isInteger(seconds) && seconds >= 1 && seconds <= 1e6) return seconds;
  throw new GanglionError('usage', `GANGLION_NODE_DEADLINE: expected seconds from 1 to 1000000, got ${show(given)}`);
}

/** The first task says it for all. */
function notJoined(tasks: number, { SLURM_PROCID: task = '0' }: NodeJS.ProcessEnv): GanglionError {
  const message = `Slurm has started ${tasks} tasks that do not know each other: expected srun --mpi=pmix, or mpirun`;
  return task === '0' ? new GanglionError('usage', message) : new EndedElsewhere('usage', message);
}
