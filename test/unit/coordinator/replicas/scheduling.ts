// Members and tasks to try the scheduler with.
import { addAssignment, type Member, newMember } from '../../../../coordinator/replicas/member.ts';
import type { MemberState } from '../../../../coordinator/replicas/member-state.ts';
import type { Answer } from '../../../../coordinator/replicas/quorum.ts';
import type { Replica } from '../../../../coordinator/replicas/replica.ts';
import { assign } from '../../../../coordinator/replicas/scheduler.ts';
import { ShardTimes } from '../../../../coordinator/replicas/shard-times.ts';
import type { ComputeCall, ShardTask, Task } from '../../../../coordinator/replicas/task-queue.ts';
import type { Pass } from '../../../../shared/model/layout.ts';

/** A real pass usually takes 1 ms, a fake one 2, the generator's 4. */
export const times = new ShardTimes();
for (const [pass, ms] of [['real', 1] as const, ['fake', 2] as const, ['generator', 4] as const]) times.add(pass, ms);

export const createReplica = (id: number): Replica => ({
  id,
  kind: 'thread',
  ready: { engine: 'stub', libraryVersion: '1', threadId: 0, pid: 0 },
  compute: () => Promise.reject(new Error('not asked')),
  sample: () => Promise.reject(new Error('not asked')),
  stop: async () => {},
});
export const createMember = (id: number, state: MemberState = 'ready'): Member => ({
  ...newMember(id),
  state,
  replica: state === 'ready' || state === 'draining' ? createReplica(id) : undefined,
});
export const createCall = (): ComputeCall => ({ accept() {}, bad: [], unfinished: 9, finish() {}, fail() {} });
let order = 0;
const unstarted = { running: 0, failures: 0, done: false };
const unclaimed = { isChecked: true, claim: undefined, counted: undefined, accepted: undefined };
export const createShard = (pass: Pass, shard: number, call = createCall(), step = 1): ShardTask => ({
  kind: 'shard',
  shard: { step, pass, shard },
  call,
  votes: [],
  audited: false,
  order: ++order,
  ...unstarted,
  ...unclaimed,
});
export const shardsOf = (pass: Pass, count: number, step = 1): ShardTask[] => {
  const call = createCall();
  return Array.from({ length: count }, (_, shard) => createShard(pass, shard, call, step));
};
const job = { seed: 1, count: 1, statistics: 'batch' } as const;
export const createSample = (): Task => ({ kind: 'sample', job, finish() {}, fail() {}, order: 0, ...unstarted });
/** Puts tasks into a member's hands. */
export const give = (member: Member, tasks: readonly Task[], nowMs = 0): void => {
  for (const task of tasks) if (member.replica) addAssignment(member, member.replica, task, nowMs);
};
export const inWords = (task: Task): string =>
  task.kind === 'sample' ? 'sample' : `${task.shard.pass} ${task.shard.step}.${task.shard.shard}`;
/** Who is given what, such as `0 fake 1.2`. */
export const assigned = (members: readonly Member[], waiting: readonly Task[], nowMs = 0): string[] =>
  assign({ members, times, nowMs }, waiting).map(({ member, task }) => `${member.id} ${inWords(task)}`);
export const vote = (member: Member, answer: Answer | number, task: ShardTask): void => {
  if (!member.replica) throw new Error('expected a replica');
  const values = Float32Array.of(Number(answer));
  const seconds = { start: 0, prepare: 0, compute: 0, copy: 0 };
  const result = { values, seconds, tensors: 0, release() {} };
  task.votes.push({ voter: member.replica, answer: typeof answer === 'number' ? { result } : answer });
};
