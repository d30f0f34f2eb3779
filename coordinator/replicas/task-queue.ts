// What replicas are to do, in order: shards of the step under way before those of the next.
import type { SampleJob } from '../../shared/protocol.ts';
import type { BadShard } from './bad-shard.ts';
import type { Vote } from './quorum.ts';
import type { Replica, Shard, ShardResult } from './replica.ts';

/** The shards of one call. */
export interface Batch {
  readonly accept: (shard: Shard, result: ShardResult) => void;
  readonly bad: BadShard[];
  unfinished: number;
  readonly finish: (bad: readonly BadShard[]) => void;
  readonly fail: (error: unknown) => void;
}

interface TaskBase {
  /** Place in the queue. */
  readonly order: number;
  /** Replicas that are at it. */
  running: number;
  /** Replicas lost on it. */
  failures: number;
  done: boolean;
}

export interface ShardTask extends TaskBase {
  readonly kind: 'shard';
  readonly shard: Shard;
  readonly batch: Batch;
  /** Answers so far, kept where one is not enough. */
  readonly votes: Vote<Replica>[];
  /** Whether two replicas have to agree. */
  readonly audited: boolean;
}

export interface SampleTask extends TaskBase {
  readonly kind: 'sample';
  readonly job: SampleJob;
  readonly finish: (images: Float32Array) => void;
  readonly fail: (error: unknown) => void;
}

export type Task = ShardTask | SampleTask;

/** Tasks that wait for a replica. A task is in the queue at most once. */
export class TaskQueue {
  #tasks: Task[] = [];

  get length(): number {
    return this.#tasks.length;
  }

  add(task: Task): void {
    const at = this.#tasks.findIndex(({ order }) => order >= task.order);
    if (this.#tasks[at] === task) return;
    this.#tasks.splice(at === -1 ? this.#tasks.length : at, 0, task);
  }

  /**
   * Takes out the first task that `fits`; of a shard's call and pass the one that suits most.
   *
   * @param fits asked in the order of the queue
   * @param suits more is better; of equal ones the first
   */
  take(fits: (task: Task) => boolean, suits: (task: ShardTask) => number = () => 0): Task | undefined {
    const first = this.#tasks.find(fits);
    if (!first) return undefined;
    let [taken, most] = [first, first.kind === 'shard' ? suits(first) : 0];
    if (first.kind === 'shard') {
      for (const task of this.#tasks) {
        if (task.kind !== 'shard' || task.batch !== first.batch || !fits(task)) continue;
        const much = suits(task);
        if (much > most) [taken, most] = [task, much];
      }
    }
    this.remove(taken);
    return taken;
  }

  remove(task: Task): void {
    this.#tasks = this.#tasks.filter((other) => other !== task);
  }

  clear(): Task[] {
    return this.#tasks.splice(0);
  }
}
