// A place for a replica in the group: which replica sits there, what it is at, and what the place has counted over restarts.
import { GanglionError, messageOf } from '../../shared/error.ts';
import { describeShard } from '../../shared/protocol.ts';
import type { Drawn } from './affinity.ts';
import type { Replica, Shard } from './replica.ts';
import type { ReplicaState, ReplicaStatus } from './replica-status.ts';
import type { Task } from './task-queue.ts';

/** A task that a replica was asked for. */
export interface Run {
  readonly task: Task;
}

/** A place in the group. */
export interface Seat {
  readonly id: number;
  state: ReplicaState;
  replica: Replica | undefined;
  /** What the replica was asked for and has not answered, in order; {@link runUnderWay} says what it is at. */
  runs: Run[];
  /** Since when it is at it. */
  sinceMs: number;
  restarts: number;
  /** Shards answered, and the time that took. */
  answered: number;
  busyMs: number;
  /** Losses since it last gave an answer. */
  failures: number;
  shards: number;
  /** Of its newest shards, of any pass. */
  readonly shardMs: number[];
  readonly drawn: Drawn;
}

/** Newest shards of a replica that its shard time is the median of. */
const SHARD_WINDOW = 31;
export function newSeat(id: number): Seat {
  const counts = {
    restarts: 0,
    answered: 0,
    busyMs: 0,
    failures: 0,
    shards: 0,
    shardMs: [],
    drawn: { step: -1, shards: [] },
  };
  return { id, state: 'starting', replica: undefined, runs: [], sinceMs: 0, ...counts };
}

/** What the replica is at: the first that it has neither answered nor computed. Undefined when it is at nothing. */
export function runUnderWay({ runs, replica }: Seat): Run | undefined {
  const shards = runs.filter(({ task }) => task.kind === 'shard');
  const computed = replica?.computed ?? 0;
  return computed === 0 ? runs[0] : (shards[Math.min(computed, shards.length - 1)] ?? runs[0]);
}

export function toStatus(seat: Seat): ReplicaStatus {
  return {
    id: seat.id,
    state: seat.state === 'idle' && seat.runs.length > 0 ? 'busy' : seat.state,
    kind: seat.replica?.kind ?? null,
    pid: seat.replica?.ready.pid ?? null,
    threadId: seat.replica?.ready.threadId ?? null,
    restarts: seat.restarts,
    answered: seat.answered,
    busySeconds: seat.busyMs / 1000,
    shards: seat.shards,
    shardSeconds: medianSeconds(seat.shardMs),
  };
}

/** Null of none. */
function medianSeconds(ms: readonly number[]): number | null {
  const middle = ms.toSorted((a, b) => a - b)[Math.floor(ms.length / 2)];
  return middle === undefined ? null : middle / 1000;
}

/** Notes how long a shard took. */
export function addShardTime({ shardMs }: Seat, ms: number): void {
  shardMs.push(ms);
  if (shardMs.length > SHARD_WINDOW) shardMs.shift();
}

/** A failure as an error that names replica, step, pass and shard: a replica that is gone cannot say on what it was. */
export function toFault(error: unknown, replica: number, shard?: Shard): GanglionError {
  if (error instanceof GanglionError && (!shard || error.place.shard !== undefined)) return error;
  const { code, reason } =
    error instanceof GanglionError ? error : { code: 'replica' as const, reason: 'error' as const };
  const where = shard ? ` on ${describeShard(shard)}` : '';
  const place = shard ? { replica, step: shard.step, pass: shard.pass, shard: shard.shard } : { replica };
  const why = messageOf(error).replace(new RegExp(`^replica ${replica} `), ''); // named already
  return new GanglionError(code, `replica ${replica} failed${where}: ${why}`, { cause: error, place, reason });
}
