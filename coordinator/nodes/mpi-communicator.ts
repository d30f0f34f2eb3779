// The nodes of a job that mpirun or srun has started, one a process.
import { Worker } from 'node:worker_threads';
import { type Remote, wrap } from 'comlink';
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs';
import { GanglionError, messageOf } from '../../shared/error.ts';
import { NO_REQUIRE } from '../machine/thread-flags.ts';
import type { Communicator, Recovery } from '../training/communicator.ts';
import { loadExit } from './mpi-binding.ts';
import type { MpiService, MpiSetup, Outcome } from './mpi-service.ts';

/** Compiled entry file of the thread that calls MPI. */
const MPI_SERVICE = new URL('./mpi-service.js', import.meta.url);

export interface MpiOptions extends MpiSetup {
  /** Within this time all nodes must have come to an operation. */
  readonly deadlineMs: number;
}

/** A communicator that is part of a job. */
export interface JoinedNodes extends Communicator {
  /** Leaves the job; where no node was lost, together with all others. */
  close(): Promise<void>;
}

/** Joins the job. @throws GanglionError `environment` when MPI cannot be used */
export async function openMpi({ deadlineMs, ...setup }: MpiOptions): Promise<JoinedNodes> {
  const worker = new Worker(MPI_SERVICE, { name: 'mpi', execArgv: [NO_REQUIRE] });
  const service = wrap<MpiService>(nodeEndpoint(worker));
  const crashed = new Promise<never>((_, reject) => worker.on('error', reject));
  crashed.catch(() => {});
  try {
    const exitNow = await loadExit();
    // While the thread waits in MPI for other nodes, nothing but this ends the process.
    const onExit = (code: number): void => exitNow(Number(process.exitCode ?? code));
    process.on('exit', onExit);
    const { rank, size } = await within(deadlineMs, Promise.race([service.open(setup), crashed]));
    return new MpiNodes({ service, worker, rank, size, deadlineMs, canRecover: setup.isFaultTolerant, onExit });
  } catch (error) {
    worker.unref(); // it may wait for a node that has died
    if (error instanceof GanglionError) throw error;
    throw new GanglionError('environment', `cannot use MPI (${setup.library}): ${messageOf(error)}`, { cause: error });
  }
}

interface MpiNodesOptions {
  readonly service: Remote<MpiService>;
  readonly worker: Worker;
  readonly rank: number;
  readonly size: number;
  readonly deadlineMs: number;
  readonly canRecover: boolean;
  readonly onExit: (code: number) => void;
}

class MpiNodes implements JoinedNodes {
  readonly node: number;
  #members: readonly number[];
  readonly #options: MpiNodesOptions;
  /** Whether all nodes are there, and none waits in an operation. */
  #isWhole = true;

  constructor(options: MpiNodesOptions) {
    this.#options = options;
    this.node = options.rank;
    this.#members = Array.from({ length: options.size }, (_, rank) => rank);
  }

  get members(): readonly number[] {
    return this.#members;
  }

  allocate(length: number): Float64Array {
    return new Float64Array(new SharedArrayBuffer(length * Float64Array.BYTES_PER_ELEMENT));
  }

  allReduceSum(from: Float64Array, into: Float64Array): Promise<boolean> {
    return this.#done(this.#options.service.allReduceSum(from, into));
  }

  async broadcast(bytes: Uint8Array, from: number): Promise<boolean> {
    const isShared = bytes.buffer instanceof SharedArrayBuffer;
    const shared = isShared ? bytes : new Uint8Array(new SharedArrayBuffer(bytes.length));
    if (!isShared) shared.set(bytes);
    const isDone = await this.#done(this.#options.service.broadcast(shared, this.#members.indexOf(from)));
    if (!isShared) bytes.set(shared);
    return isDone;
  }

  agree(): Promise<boolean> {
    return this.#done(this.#options.service.agree());
  }

  async recover(progress: number): Promise<Recovery> {
    const regrouped = await this.#inTime(this.#options.service.regroup(progress));
    this.#members = regrouped.members;
    return { progress: regrouped.progress };
  }

  async close(): Promise<void> {
    const { service, worker, onExit } = this.#options;
    if (this.#isWhole) await this.#inTime(service.finalize()).catch(() => {});
    if (!this.#isWhole) {
      worker.unref(); // it would wait for the lost, or does
      return;
    }
    process.off('exit', onExit);
    await worker.terminate();
  }

  async #done(call: Promise<Outcome>): Promise<boolean> {
    const { failure } = await this.#inTime(call);
    if (failure === undefined) return true;
    this.#isWhole = false;
    if (this.#options.canRecover) return false;
    throw new GanglionError('nodes', `a node was lost: ${failure}`);
  }

  async #inTime<Result>(call: Promise<Result>): Promise<Result> {
    try {
      return await within(this.#options.deadlineMs, call);
    } catch (error) {
      this.#isWhole = false;
      throw error;
    }
  }
}

/** @throws GanglionError `nodes` when it takes longer */
async function within<Result>(deadlineMs: number, call: Promise<Result>): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const message = `expected all other nodes within ${deadlineMs / 1000} s`;
    timer = setTimeout(() => reject(new GanglionError('nodes', message)), deadlineMs);
  });
  try {
    return await Promise.race([call, late]);
  } finally {
    clearTimeout(timer);
  }
}
