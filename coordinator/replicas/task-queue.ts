// The tasks of a group. A task waits, is assigned to one or more replicas, and is finished once; a call ends with its last shard.
import type { SampleJob } from '../../shared/protocol.ts';
import type { BadShard } from './bad-shard.ts';
import type { Answer, Ballot, Vote } from './quorum.ts';
import type { Replica, Shard, TakenResult } from './replica.ts';

/** The shards of one call of `compute`. */
export interface ComputeCall {
  readonly accept: (shard: Shard, result: TakenResult) => void;
  readonly bad: BadShard[];
  unfinished: number;
  readonly finish: (bad: readonly BadShard[]) => void;
  readonly fail: (error: unknown) => void;
}

interface TaskBase {
  /** Place in the queue: shards of earlier calls come first, samples before all shards. */
  readonly order: number;
  /** Replicas that it is assigned to. */
  running: number;
  /** Replicas lost while they computed it. */
  failures: number;
  done: boolean;
}

export interface ShardTask extends TaskBase, Ballot<Replica> {
  readonly kind: 'shard';
  readonly shard: Shard;
  readonly call: ComputeCall;
  readonly votes: Vote<Replica>[];
  done: boolean;
  /** Whether what a page gives for it is only compared with what another replica does. */
  readonly isChecked: boolean;
  /** What a page has given for it, where that is to be compared. */
  claim: Vote<Replica> | undefined;
  /** What a page has given for it and counts, for a replica that has not answered yet. */
  counted: Vote<Replica> | undefined;
  /** A copy of what was accepted, for a page that has not answered yet. */
  accepted: Answer | undefined;
}

export interface SampleTask extends TaskBase {
  readonly kind: 'sample';
  readonly job: SampleJob;
  readonly finish: (images: Float32Array) => void;
  readonly fail: (error: unknown) => void;
}

export type Task = ShardTask | SampleTask;

export class TaskQueue {
  #waiting: Task[] = [];
  readonly #calls = new Set<ComputeCall>();
  #order = 0;

  /** Tasks that wait for a replica, in order; each at most once. */
  get waiting(): readonly Task[] {
    return this.#waiting;
  }

  /**
   * Adds the shards of one call.
   *
   * @param accept called once for each shard that is finished with a result
   * @param choose asked once for each shard
   * @returns the bad shards, when all are finished
   */
  addShards(
    shards: readonly Shard[],
    accept: ComputeCall['accept'],
    choose: (shard: Shard) => Pick<ShardTask, 'audited' | 'isChecked'>,
  ): Promise<readonly BadShard[]> {
    return new Promise((resolve, reject) => {
      const call: ComputeCall = { accept, bad: [], unfinished: shards.length, finish: resolve, fail: reject };
      this.#calls.add(call);
      for (const shard of shards) {
        const order = ++this.#order;
        this.putBack({
          kind: 'shard',
          shard,
          call,
          votes: [],
          ...choose(shard),
          claim: undefined,
          counted: undefined,
          accepted: undefined,
          order,
          running: 0,
          failures: 0,
          done: false,
        });
      }
    });
  }

  /** Adds a sample. @returns its images */
  addSample(job: SampleJob): Promise<Float32Array> {
    return new Promise((finish, fail) => {
      this.putBack({ kind: 'sample', job, finish, fail, order: 0, running: 0, failures: 0, done: false });
    });
  }

  /** Lets a task wait, in its order. */
  putBack(task: Task): void {
    const at = this.#waiting.findIndex(({ order }) => order >= task.order);
    if (this.#waiting[at] === task) return;
    this.#waiting.splice(at === -1 ? this.#waiting.length : at, 0, task);
  }

  /** Takes a task out: it is assigned to a replica, or finished. */
  take(task: Task): void {
    const at = this.#waiting.indexOf(task);
    if (at !== -1) this.#waiting.splice(at, 1);
  }

  finishSample(task: SampleTask, images: Float32Array): void {
    this.#close(task);
    task.finish(images);
  }

  /** Accepts a result for a shard. */
  accept(task: ShardTask, result: TakenResult): void {
    this.#close(task);
    task.call.accept(task.shard, result);
    this.#count(task.call);
  }

  /** Finishes a shard that cannot be added. */
  acceptBad(task: ShardTask, bad: BadShard): void {
    this.#close(task);
    task.call.bad.push(bad);
    this.#count(task.call);
  }

  /** Rejects all calls, and the samples that wait. */
  failAll(error: unknown): void {
    for (const call of this.#calls) call.fail(error);
    this.#calls.clear();
    this.dropWaiting(error);
  }

  /** Drops all tasks that wait, and rejects the samples among them. */
  dropWaiting(error: unknown): void {
    for (const task of this.#waiting.splice(0)) if (task.kind === 'sample') task.fail(error);
  }

  #close(task: Task): void {
    task.done = true;
    this.take(task);
  }

  #count(call: ComputeCall): void {
    if (--call.unfinished > 0) return;
    this.#calls.delete(call);
    call.finish(call.bad);
  }
}
