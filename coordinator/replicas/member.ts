// A member of the group and its work: the tasks assigned to its replica, and what it has counted over restarts.
import type { FakePasses } from './affinity.ts';
import { noteFakePass } from './affinity.ts';
import type { Life } from './membership.ts';
import type { Replica, Shard, ShardResult } from './replica.ts';
import type { ReplicaState, ReplicaStatus } from './replica-status.ts';
import type { Task } from './task-queue.ts';

/** A task that a replica was asked for. */
export interface Assignment {
  readonly member: Member;
  readonly replica: Replica;
  readonly task: Task;
  /** Computed by a page to be compared only: the task waits for another replica all the same. */
  readonly isCheck: boolean;
  /** Whether its result is on its way, and has been taken: it is done once the device is. */
  isBegun: boolean;
  /** Ends the wait for what its replica says of a result that has been taken. */
  forget?: () => void;
}

export interface Member extends Life {
  /** Tasks without an answer, in the order in which the replica was asked. */
  assignments: Assignment[];
  /** When the replica started its current task (ms). */
  sinceMs: number;
  /** Shards answered, and the time that took. */
  answered: number;
  busyMs: number;
  /** Shards whose accepted answer came from this member. */
  shards: number;
  /** Times of its newest shards, of any pass. */
  readonly shardMs: number[];
  readonly fakePasses: FakePasses;
}

/** Newest shards of a replica that tell how long it takes for one. */
const SHARD_WINDOW = 127;
/** So many of them may have been slow by chance. */
const BY_CHANCE = 2;

/** @param isPage whether a page lends it */
export function newMember(id: number, isPage = false): Member {
  return {
    id,
    isPage,
    state: 'waiting',
    replica: undefined,
    restarts: 0,
    failures: 0,
    assignments: [],
    sinceMs: 0,
    answered: 0,
    busyMs: 0,
    shards: 0,
    shardMs: [],
    fakePasses: { step: -1, shards: [] },
  };
}

/** The task being computed now: the first without an answer that the replica has not computed. Undefined when idle. */
export function currentAssignment({ assignments, replica }: Member): Assignment | undefined {
  const computed = replica?.computed ?? 0;
  if (computed === 0) return assignments[0];
  const shards = assignments.filter(({ task }) => task.kind === 'shard');
  return shards[Math.min(computed, shards.length - 1)] ?? assignments[0];
}

/** Assigns a task. */
export function addAssignment(member: Member, replica: Replica, task: Task, nowMs: number): Assignment {
  const isCheck = member.isPage && task.kind === 'shard' && task.isChecked;
  if (member.assignments.length === 0) member.sinceMs = nowMs;
  const assignment: Assignment = { member, replica, task, isCheck, isBegun: false };
  member.assignments.push(assignment);
  if (!isCheck) task.running += 1;
  return assignment;
}

/**
 * Ends an assignment with its answer. Samples may overtake shards.
 *
 * @param result of a shard that has one
 */
export function endAssignment(assignment: Assignment, nowMs: number, result?: ShardResult): void {
  const { member, task, isCheck, isBegun } = assignment;
  member.assignments.splice(member.assignments.indexOf(assignment), 1);
  if (!isCheck) task.running -= 1;
  if (task.kind === 'shard') {
    member.answered += 1;
    member.busyMs += nowMs - member.sinceMs + (result?.seconds.precompute?.seconds ?? 0) * 1000;
    if (!member.isPage && !isBegun) noteFakePass(member.fakePasses, task.shard); // a page precomputes nothing
    if (result) addShardTime(member, computeMs(result));
  }
  member.sinceMs = nowMs;
  member.failures = 0;
}

/** Takes back what a lost replica was asked for. @returns its tasks that no other replica has */
export function takeBack(member: Member): Task[] {
  const all = member.assignments.splice(0);
  for (const { forget } of all) forget?.();
  const assignments = all.filter(({ isCheck }) => !isCheck);
  const tasks = assignments.map(({ task }) => task);
  for (const task of tasks) task.running -= 1;
  return tasks.filter(({ done, running }) => !done && running === 0);
}

/** How long a replica computed a shard, in milliseconds; without what it precomputed. */
export function computeMs({ seconds: { prepare, compute, copy } }: ShardResult): number {
  return (prepare + compute + copy) * 1000;
}

/** What a replica has taken for a shard lately more often than by chance, in milliseconds; 0 before it has computed a few. */
export function slowShardMs({ shardMs }: Member): number {
  return shardMs.toSorted((a, b) => b - a)[BY_CHANCE] ?? 0;
}

/** The result of an assignment is on its way. */
export function beginAssignment(assignment: Assignment): void {
  const { member, task } = assignment;
  assignment.isBegun = true;
  if (task.kind === 'shard') noteFakePass(member.fakePasses, task.shard);
}

/** The shard that a task computes, if it is one. */
export function shardOf(task: Task): Shard | undefined {
  return task.kind === 'shard' ? task.shard : undefined;
}

export function toStatus(member: Member): ReplicaStatus {
  const { id, isPage, replica, restarts, answered, busyMs, shards, shardMs } = member;
  const ready = isPage ? undefined : replica?.ready; // a page has no process here
  return {
    id,
    state: toReplicaState(member),
    kind: replica?.kind ?? null,
    pid: ready?.pid ?? null,
    threadId: ready?.threadId ?? null,
    restarts,
    answered,
    busySeconds: busyMs / 1000,
    shards,
    shardSeconds: medianSeconds(shardMs),
  };
}

function toReplicaState({ state, restarts, assignments }: Member): ReplicaState {
  switch (state) {
    case 'waiting':
    case 'starting':
    case 'lost':
      return restarts > 0 ? 'restarting' : 'starting';
    case 'ready':
      return assignments.length > 0 ? 'busy' : 'idle';
    case 'draining':
      return 'draining';
    case 'gone':
      return 'stopped';
  }
}

/** Undefined of none. */
export function medianMs(ms: readonly number[]): number | undefined {
  return ms.toSorted((a, b) => a - b)[Math.floor(ms.length / 2)];
}

function medianSeconds(ms: readonly number[]): number | null {
  const middle = medianMs(ms);
  return middle === undefined ? null : middle / 1000;
}

function addShardTime({ shardMs }: Member, ms: number): void {
  shardMs.push(ms);
  if (shardMs.length > SHARD_WINDOW) shardMs.shift();
}
