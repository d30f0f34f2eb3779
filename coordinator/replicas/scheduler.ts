// Who computes what: pure functions of members, tasks, times and the clock. A shard goes to the replica that seems to be idle first of
// those that may take it; a straggler's shards also go to idle replicas.
import { type Hold, holdOf, PAGE_HOLD } from '../../shared/flow.ts';
import { affinity } from './affinity.ts';
import { currentAssignment, type Member, medianMs, shardOf, slowShardMs } from './member.ts';
import { repeats } from './quorum.ts';
import type { ShardTimes } from './shard-times.ts';
import type { ShardTask, Task } from './task-queue.ts';

/** What the scheduler knows. */
export interface Situation {
  readonly members: readonly Member[];
  readonly times: ShardTimes;
  /** Monotonic clock in milliseconds. */
  readonly nowMs: number;
}

/** A task for a member. */
export interface Proposal {
  readonly member: Member;
  readonly task: Task;
}

/** A member with the tasks that it has and those proposed for it. */
interface Hand {
  readonly member: Member;
  readonly tasks: Task[];
  readonly hold: Hold;
  /** Without tasks it counts from now. */
  readonly sinceMs: number;
}

/**
 * Assigns tasks that wait: one after another, each to the member that seems to be idle first of those that may take one.
 *
 * @param waiting in order; samples before shards
 * @returns in the order in which the replicas are to be asked; no more could be assigned beside these
 */
export function assign(situation: Situation, waiting: readonly Task[]): Proposal[] {
  const proposals: Proposal[] = [];
  if (waiting.length === 0) return proposals;
  const { members, nowMs } = situation;
  const hands: Hand[] = [];
  for (const member of members) {
    if (member.state !== 'ready') continue;
    const tasks = member.assignments.flatMap(({ task, isBegun }) => (isBegun ? [] : [task]));
    const hold = member.isPage ? PAGE_HOLD : holdOf(member.replica?.ready.together ?? 1);
    hands.push({ member, tasks, hold, sinceMs: tasks.length === 0 ? nowMs : member.sinceMs });
  }
  const left = [...waiting];
  for (;;) {
    const proposal = propose(situation, hands, left);
    if (!proposal) return proposals;
    const { hand, task } = proposal;
    hand.tasks.push(task);
    // What a page computes to be compared waits for another replica all the same.
    if (!(hand.member.isPage && isChecked(task))) left.splice(left.indexOf(task), 1);
    proposals.push({ member: hand.member, task });
  }
}

function propose(situation: Situation, hands: readonly Hand[], waiting: readonly Task[]) {
  const free = hands
    .filter(({ tasks, hold }) => tasks.length < hold.inHand)
    .map((hand) => ({ hand, idleMs: estimatedIdleMs(hand, situation) }))
    .sort((a, b) => a.idleMs - b.idleMs || a.hand.tasks.length - b.hand.tasks.length);
  for (const { hand } of free) {
    const task = hand.member.isPage ? nextOfPage(situation, hand, hands, waiting) : nextTask(situation, hand, waiting);
    if (task) return { hand, task };
  }
  return undefined;
}

/**
 * In how many milliseconds a member seems to be idle. Overdue time counts as if it lay ahead, because nothing tells when the answer comes.
 *
 * @returns -1 when it is idle now
 */
function estimatedIdleMs({ tasks, sinceMs }: Hand, { times, nowMs }: Situation): number {
  if (tasks.length === 0) return -1;
  let inHand = 0;
  for (const task of tasks) inHand += task.kind === 'shard' ? times.mean(task.shard.pass) : 0;
  return Math.abs(inHand - (nowMs - sinceMs));
}

/** The first task that a member may take; of the shards of that call the one with the highest affinity. */
function nextTask(situation: Situation, hand: Hand, waiting: readonly Task[]): Task | undefined {
  let chosen: ShardTask | undefined;
  let highest = 0;
  for (const task of waiting) {
    if (task.kind === 'sample') {
      if (hand.tasks.length < hand.hold.ofCall && !hand.tasks.includes(task)) return task;
      continue;
    }
    if (chosen && task.call !== chosen.call) break;
    // Shards of a later call do not overtake those that wait for room.
    if (!hasRoom(hand, task)) break;
    if (hand.tasks.includes(task) || !mayTake(situation, hand.member, task)) continue;
    const own = affinity(task.shard, hand.member, situation.members);
    if (!chosen || own > highest) [chosen, highest] = [task, own];
  }
  return chosen;
}

const isChecked = (task: Task): boolean => task.kind === 'shard' && task.isChecked;

/** Shards after which it is known how long a page takes for one, from here and back. */
const MEASURED = 8;

/**
 * The first shard that a page may take: one that no page has, and about which replicas have said nothing. What counts it gets only where the
 * others would be longer at the shards of that call than it takes for one. Pages draw no samples.
 */
function nextOfPage(
  { members, times }: Situation,
  hand: Hand,
  hands: readonly Hand[],
  waiting: readonly Task[],
): ShardTask | undefined {
  const pages = hands.filter(({ member }) => member.isPage);
  const own = members.filter(({ isPage, state }) => !isPage && state === 'ready').length;
  const { shardMs } = hand.member;
  const pageMs = shardMs.length < MEASURED ? 0 : (medianMs(shardMs) ?? 0);
  return waiting.find(
    (task): task is ShardTask =>
      task.kind === 'shard' &&
      hasRoom(hand, task) &&
      task.votes.length === 0 &&
      task.claim === undefined &&
      (task.isChecked || pageMs * own <= times.mean(task.shard.pass) * task.call.unfinished) &&
      !pages.some(({ tasks }) => tasks.includes(task)),
  );
}

function hasRoom({ tasks, hold }: Hand, { call, shard }: ShardTask): boolean {
  if (shard.pass === 'real' && tasks.length >= hold.beforeReal) return false;
  return tasks.filter((task) => task.kind === 'shard' && task.call === call).length < hold.ofCall;
}

/**
 * Whether a member may compute a shard that it does not have in hand. A shard whose answers are compared goes to another replica while
 * there is one; a replica that repeats its answer waits for that.
 */
function mayTake(situation: Situation, { replica, isPage }: Member, task: ShardTask): boolean {
  const { votes } = task;
  if (isPage) return false;
  if (!votes.some(({ voter }) => voter === replica)) return true;
  const members = situation.members.filter((other) => !other.isPage);
  if (repeats(votes, replica) && canBeDecided(task, members)) return false;
  // An audit waits for no replica that is away. A bad value does: it skips the update, which changes the weights.
  const isBad = votes.some(({ answer }) => 'bad' in answer);
  const isAway = (other: Member): boolean => other.state !== 'ready' || isStraggler(situation, other);
  return members.every(
    (other) =>
      votes.some(({ voter }) => voter === other.replica) || other.state === 'draining' || (!isBad && isAway(other)),
  );
}

/** Whether some replica, now or after its start, can give an answer that it does not only repeat. */
export function canBeDecided({ votes }: ShardTask, members: readonly Member[]): boolean {
  return members.some(({ state, replica, isPage }) => state !== 'draining' && !isPage && !repeats(votes, replica));
}

/** By how much a straggler is later than what every replica takes now and then. */
const SLOW_FACTOR = 1.5;

/**
 * Whether a member takes much longer for its current shard than usual. What every replica has taken lately is no sign of it: then the
 * machine is busy with something else, and a second replica would make it busier.
 */
export function isStraggler({ members, times, nowMs }: Situation, member: Member): boolean {
  const current = currentAssignment(member);
  const ms = nowMs - member.sinceMs;
  if (current?.task.kind !== 'shard' || current.isCheck || !times.isLate(current.task.shard.pass, ms)) return false;
  return ms > SLOW_FACTOR * Math.min(...members.filter(({ isPage }) => !isPage).map(slowShardMs));
}

/** Whether the answer of a member counts as never coming. */
export function isOverdue({ times, nowMs }: Situation, member: Member): boolean {
  const current = currentAssignment(member);
  return current !== undefined && times.isOverdue(shardOf(current.task)?.pass, nowMs - member.sinceMs);
}

/**
 * Assigns the shards of stragglers to idle members, too: the first answer counts. Current shards first; none has more than two replicas.
 */
export function assist(situation: Situation): (Proposal & { readonly task: ShardTask; readonly straggler: Member })[] {
  const { members } = situation;
  const idle = members.filter(({ state, assignments }) => state === 'ready' && assignments.length === 0);
  const proposals: (Proposal & { readonly task: ShardTask; readonly straggler: Member })[] = [];
  if (idle.length === 0) return proposals;
  for (const straggler of members.filter((member) => isStraggler(situation, member))) {
    const current = currentAssignment(straggler);
    for (const { task } of straggler.assignments.toSorted((a, b) => Number(b === current) - Number(a === current))) {
      if (task.kind !== 'shard' || task.done || task.running > 1 || (straggler.isPage && task.isChecked)) continue;
      const at = idle.findIndex((member) => mayTake(situation, member, task));
      const [member] = at === -1 ? [] : idle.splice(at, 1);
      if (member) proposals.push({ member, task, straggler });
    }
  }
  return proposals;
}
