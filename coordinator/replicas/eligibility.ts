// Which tasks a replica may be given, beside what it has in hand and what others have answered.
import { SHARDS_BEFORE_REAL, SHARDS_OF_CALL } from '../../shared/flow.ts';
import type { Seat } from './member.ts';
import { insists } from './quorum.ts';
import type { ShardTimes } from './shard-times.ts';
import type { Batch, ShardTask, Task } from './task-queue.ts';

/**
 * In how many milliseconds a seat seems to have done what it has in hand. What is overdue counts as long again: nothing says when it
 * will come.
 *
 * @returns -1 when it has nothing in hand
 */
export function freeInMs({ runs, sinceMs }: Seat, times: ShardTimes, nowMs: number): number {
  if (runs.length === 0) return -1;
  let inHand = 0;
  for (const { task } of runs) inHand += task.kind === 'shard' ? times.mean(task.shard.pass) : 0;
  return Math.abs(inHand - (nowMs - sinceMs));
}

function isOfCall(task: Task, batch: Batch): boolean {
  return task.kind === 'shard' && task.batch === batch;
}

/**
 * What a seat may take of the queue. To be asked in its order: shards of a later call do not go before those that wait for a free hand.
 *
 * @param seats all of the group
 */
export function takenBy(seat: Seat, seats: readonly Seat[], isLate: (seat: Seat) => boolean): (task: Task) => boolean {
  let isFull = false;
  return (task) => {
    if (task.kind === 'sample') return fits(task, seat, seats, isLate);
    isFull ||=
      seat.runs.filter((run) => isOfCall(run.task, task.batch)).length === SHARDS_OF_CALL ||
      (task.shard.pass === 'real' && seat.runs.length >= SHARDS_BEFORE_REAL);
    return !isFull && fits(task, seat, seats, isLate);
  };
}

/** A shard whose answers have to be compared goes to another replica, as long as there is one; one that insists waits for it. */
export function fits(task: Task, seat: Seat, seats: readonly Seat[], isLate: (seat: Seat) => boolean): boolean {
  if (seat.runs.some((run) => run.task === task)) return false;
  if (task.kind === 'sample') return seat.runs.length < SHARDS_OF_CALL;
  const answered = ({ replica }: Seat): boolean => task.votes.some(({ voter }) => voter === replica);
  if (!answered(seat)) return true;
  if (insists(task.votes, seat.replica) && canBeDecided(task, seats)) return false;
  // An audit waits for no replica that is away. A bad value does: the update is skipped for it, which changes the weights.
  const isBad = task.votes.some(({ answer }) => 'bad' in answer);
  const isAway = (other: Seat): boolean => other.state !== 'idle' || isLate(other);
  return seats.every((other) => answered(other) || other.state === 'draining' || (!isBad && isAway(other)));
}

/** Whether there is a replica, or will be, that does not insist on its answer. */
export function canBeDecided({ votes }: ShardTask, seats: readonly Seat[]): boolean {
  return seats.some(({ state, replica }) => state !== 'draining' && !insists(votes, replica));
}
