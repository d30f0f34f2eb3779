// The thread that makes all calls of MPI, so that this process's event loop is free while nodes wait for each other.
import { parentPort } from 'node:worker_threads';
import { expose } from 'comlink';
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs';
import { type Handle, loadMpi, type Mpi } from './mpi-binding.ts';

/** Which Open MPI, and whether the job goes on when a process dies. */
export interface MpiSetup {
  readonly library: string;
  readonly isFaultTolerant: boolean;
}

/** What an operation gave: whether it was done, and else why not. */
export interface Outcome {
  readonly failure?: string;
}

export interface Regrouped {
  /** Numbers in the job of those that are left, ascending, and what they gave. */
  readonly members: readonly number[];
  readonly progress: readonly number[];
}

/** Every memory is shared, so that the library's results are seen outside of the thread. */
export interface MpiService {
  open(setup: MpiSetup): Promise<{ readonly rank: number; readonly size: number }>;
  allReduceSum(from: Float64Array, into: Float64Array): Outcome;
  /** @param root place among the members */
  broadcast(bytes: Uint8Array, root: number): Outcome;
  agree(): Outcome;
  /** To be called where a job goes on when a process dies. */
  regroup(progress: number): Regrouped;
  /** After an orderly end; ends the thread. */
  finalize(): void;
}

let mpi: Mpi;
let comm: Handle;
let rank = 0;
/** Whether the last operation was an agreement that nobody is lost, which failed. */
let hasAgreed = false;

const toOutcome = (error: number): Outcome => (error === 0 ? {} : { failure: mpi.describe(error) });

const service: MpiService = {
  async open({ library, isFaultTolerant }) {
    mpi = await loadMpi(library, isFaultTolerant);
    comm = mpi.world;
    mpi.init();
    mpi.returnErrors(comm);
    rank = mpi.rank(comm);
    return { rank, size: mpi.size(comm) };
  },
  allReduceSum: (from, into) => toOutcome(mpi.allReduceSum(from, into, comm)),
  broadcast: (bytes, root) => toOutcome(mpi.broadcast(bytes, root, comm)),
  agree() {
    if (!mpi.faults) return toOutcome(mpi.barrier(comm));
    const isFine = mpi.faults.agree(comm, true);
    hasAgreed = !isFine;
    return isFine ? {} : { failure: 'a process has died' };
  },
  regroup(progress) {
    if (!mpi.faults) throw new Error('this job ends when a process dies');
    for (;;) {
      mpi.faults.revoke(comm);
      // Others may wait in `agree`: all call it once before they shrink, or the library would take one for the other.
      if (!hasAgreed) mpi.faults.agree(comm, false);
      hasAgreed = false;
      const shrunk = mpi.faults.shrink(comm);
      if (shrunk.error !== 0) throw new Error(mpi.describe(shrunk.error));
      comm = shrunk.comm;
      mpi.returnErrors(comm);
      const all = new Float64Array(2 * mpi.size(comm));
      if (mpi.allGather(Float64Array.of(rank, progress), all, comm) !== 0) continue; // another has died meanwhile
      const numbers = [...all];
      return {
        members: numbers.filter((_, i) => i % 2 === 0),
        progress: numbers.filter((_, i) => i % 2 === 1),
      };
    }
  },
  finalize() {
    mpi.finalize();
  },
};

if (!parentPort) throw new Error('mpi-service runs in a worker thread');
expose(service, nodeEndpoint(parentPort));
