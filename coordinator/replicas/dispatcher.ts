// Moves tasks between the queue and the members: asks replicas for what the scheduler assigns, takes their answers to the quorum, and takes
// failures to the membership.
import { GanglionError } from '../../shared/error.ts';
import { describeShard, type PassSeconds } from '../../shared/protocol.ts';
import type { ReplicaGroupOptions } from './group-options.ts';
import {
  type Assignment,
  addAssignment,
  beginAssignment,
  computeMs,
  currentAssignment,
  endAssignment,
  type Member,
  shardOf,
} from './member.ts';
import type { Membership } from './membership.ts';
import { type Answer, castVote, copyOf, equal, keep, MOST_VOTES, type Rejection, rejectAll } from './quorum.ts';
import type { BegunResult, Replica, Shard, ShardResult } from './replica.ts';
import { toFault } from './replica-fault.ts';
import { assign, assist, canBeDecided, isOverdue, type Situation } from './scheduler.ts';
import { ShardTimes } from './shard-times.ts';
import type { ShardTask, Task, TaskQueue } from './task-queue.ts';

export interface DispatcherOptions extends Pick<ReplicaGroupOptions, 'observer' | 'faults'> {
  readonly queue: TaskQueue;
  readonly membership: Membership<Member>;
  /** Monotonic clock in milliseconds. */
  readonly now: () => number;
  /** Replicas lost on one shard that the group survives. */
  readonly maxShardLosses: number;
  /** The tasks cannot be computed. */
  readonly onGiveUp: (error: unknown) => void;
}

export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #queue: TaskQueue;
  readonly #membership: Membership<Member>;
  readonly #times = new ShardTimes();
  #hasWrongPage = false;

  constructor(options: DispatcherOptions) {
    this.#options = options;
    this.#queue = options.queue;
    this.#membership = options.membership;
  }

  /** Whether a page was found to be wrong: all that pages give is compared from then on. */
  get hasWrongPage(): boolean {
    return this.#hasWrongPage;
  }

  get #situation(): Situation {
    return { members: this.#membership.members, times: this.#times, nowMs: this.#options.now() };
  }

  /** Assigns what waits. To be called whenever tasks or members have changed. */
  dispatch(): void {
    const { waiting } = this.#queue;
    if (waiting.length === 0) return;
    for (const { member, task } of assign(this.#situation, waiting)) this.#ask(member, task);
  }

  /**
   * Replaces replicas whose answer is overdue, and gives the shards of stragglers to idle ones. To be called now and then.
   *
   * @param stoodStillMs for how long this process, and its replicas with it, have stood still: that makes nobody late
   */
  look(stoodStillMs: number): void {
    const situation = this.#situation;
    for (const member of situation.members) {
      member.sinceMs = Math.min(member.sinceMs + stoodStillMs, situation.nowMs);
      const current = currentAssignment(member);
      if (!current || !isOverdue(situation, member)) continue;
      const what = `replica ${member.id} gave no answer in ${Math.round(situation.nowMs - member.sinceMs)} ms`;
      const place = { replica: member.id };
      this.#failed(current, new GanglionError('replica', what, { place, reason: 'deadline' }));
    }
    for (const { member, task, straggler } of assist(this.#situation)) {
      if (!straggler.isPage) this.#options.observer.straggler(task.shard, straggler.id);
      this.#ask(member, task);
    }
    this.dispatch(); // what waited for a straggler's answer
  }

  #ask(member: Member, task: Task): void {
    const { replica } = member;
    if (!replica) return;
    const assignment = addAssignment(member, replica, task, this.#options.now());
    if (!assignment.isCheck) this.#queue.take(task);
    if (task.kind === 'sample') {
      replica.sample(task.job).then(
        (images) => this.#answered(assignment, () => task.done || this.#queue.finishSample(task, images)),
        (error: unknown) => this.#failed(assignment, error),
      );
      return;
    }
    const fault = member.isPage ? undefined : this.#options.faults?.(task.shard, member.id);
    const take = (answer: Answer): void => {
      if (assignment.isBegun) return; // it is known; of a bad one the device tells
      if (member.isPage) this.#hear(assignment, task, answer);
      else this.#vote(replica, task, answer);
    };
    const { shard } = task;
    const given = fault ? { ...shard, fault } : shard;
    const isDoubtful = fault !== undefined || task.audited || task.votes.length > 0;
    const answer = replica.compute(shard.ahead && isDoubtful ? { ...given, ahead: false } : given, (result) =>
      this.#begun(assignment, task, result, answer),
    );
    answer.then(
      (result) => this.#answered(assignment, () => take({ result }), result),
      (error: unknown) => {
        // A replica that finds a value out of range works; whether the value is bad or the replica, another one shows.
        if (error instanceof GanglionError && error.code === 'range') {
          this.#answered(assignment, () => take({ bad: error.message }));
        } else this.#failed(assignment, error);
      },
    );
  }

  /** Takes a result that is on its way. Where its replica is lost before it is there, the device has still been asked for it. */
  #begun(assignment: Assignment, task: ShardTask, result: BegunResult, answer: Promise<ShardResult>): void {
    const { member } = assignment;
    if (task.done || !member.assignments.includes(assignment)) {
      result.release();
      assignment.isBegun = true; // its answer counts no more
      return;
    }
    beginAssignment(assignment);
    const seconds = new Promise<PassSeconds | undefined>((resolve) => {
      assignment.forget = () => resolve(undefined);
      answer.then((ended) => resolve(ended.seconds), assignment.forget);
    });
    try {
      const { values, mark, release } = result;
      this.#queue.accept(task, { values, mark, release, seconds, tensors: 0 });
    } catch (error) {
      this.#options.onGiveUp(error);
    }
    member.shards += 1;
    this.dispatch();
  }

  /** @param result of a shard, which `use` releases or hands on */
  #answered(assignment: Assignment, use: () => void, result?: ShardResult): void {
    const { member, task } = assignment;
    if (!member.assignments.includes(assignment)) {
      result?.release(); // of a replica that was given up meanwhile
      return;
    }
    const shard = shardOf(task);
    if (result && shard) {
      this.#options.observer.computed?.(member.id, shard, result);
      if (!member.isPage) this.#times.add(shard.pass, computeMs(result)); // its network is no measure of others
    }
    endAssignment(assignment, this.#options.now(), result);
    const wasDone = task.done;
    try {
      use();
    } catch (error) {
      this.#options.onGiveUp(error);
    }
    if (shard && !wasDone && task.done) member.shards += 1;
    this.#membership.endIfDrained(member);
    this.dispatch();
  }

  #vote(voter: Replica, task: ShardTask, answer: Answer): void {
    const { shard, call, votes, counted } = task;
    if (counted) {
      // Later the parameters may have changed while it was computed.
      const wrong = call.unfinished > 0 && !equal(answer, counted.answer);
      if ('result' in answer) answer.result.release();
      if (wrong) this.#expel(counted.voter, shard);
      return;
    }
    const ruling = castVote(task, { voter, answer }, call.unfinished > 0);
    switch (ruling.kind) {
      case 'accepted':
        this.#reject(ruling.rejections, shard);
        this.#compareClaim(task, ruling.answer);
        if ('result' in ruling.answer) this.#queue.accept(task, ruling.answer.result);
        else {
          const replicas = ruling.supporters.map(({ id }) => id);
          this.#queue.acceptBad(task, { shard, replicas, what: ruling.answer.bad });
        }
        return;
      case 'late':
        this.#reject(ruling.rejections, shard);
        return;
      case 'undecided':
        if (task.running > 0) return;
        this.#queue.putBack(task);
        if (!canBeDecided(task, this.#membership.members)) this.#reject(rejectAll(votes), shard);
        return;
      case 'hopeless':
        throw new GanglionError('faults', `${MOST_VOTES} computations of ${describeShard(shard)} gave other bits each`);
    }
  }

  /**
   * Takes what a page gives. It counts at once where it need not be compared, no page has been wrong and no replica has said anything else;
   * else it is kept until replicas of this group have decided, and decides nothing.
   */
  #hear({ replica: voter, isCheck }: Assignment, task: ShardTask, answer: Answer): void {
    if (task.done) {
      const wrong = isCheck && task.accepted && !equal(answer, task.accepted);
      if ('result' in answer) answer.result.release();
      if (wrong) this.#expel(voter, task.shard);
    } else if (!isCheck && 'result' in answer && task.votes.length === 0 && !this.#hasWrongPage) {
      if (task.running > 0) task.counted = { voter, answer: copyOf(answer) };
      this.#queue.accept(task, answer.result);
    } else {
      task.claim = { voter, answer: keep(answer) };
      if (task.running === 0) this.#queue.putBack(task);
    }
  }

  /** Compares what a page has given with what is accepted, now or when it answers. */
  #compareClaim(task: ShardTask, accepted: Answer): void {
    const { claim, shard } = task;
    if (claim && !equal(claim.answer, accepted)) this.#expel(claim.voter, shard);
    const isOpen = ({ isCheck, task: other }: Assignment): boolean => isCheck && other === task;
    if (this.#membership.members.some(({ assignments }) => assignments.some(isOpen))) task.accepted = copyOf(accepted);
  }

  /** Ends a page whose answer was wrong: from now on nothing counts of what pages give. */
  #expel(voter: Replica, shard: Shard): void {
    this.#hasWrongPage = true;
    const what = 'its result has other bits than this machine has computed';
    this.#reject([{ voter, reason: 'audit', what }], shard);
  }

  /** Replaces replicas whose answer to a shard is wrong. */
  #reject(rejections: readonly Rejection<Replica>[], shard: Shard): void {
    for (const { voter, reason, what } of rejections) {
      const member = this.#membership.members.find(({ replica }) => replica === voter);
      if (!member) continue; // gone already
      const error = new GanglionError('replica', what, { reason });
      this.#membership.lose(member, toFault(error, voter.id, shard));
    }
  }

  #failed(assignment: Assignment, error: unknown): void {
    const { member, task } = assignment;
    if (!member.assignments.includes(assignment)) return; // known already
    const fault = toFault(error, member.id, shardOf(task));
    if (this.#membership.isClosed) {
      if (task.kind === 'sample') task.fail(fault);
      return;
    }
    // What has been begun is done once the device is: its replica is at what comes after it.
    const isAt = assignment.isBegun ? member.assignments.find(({ isBegun }) => !isBegun) : assignment;
    const { task: blamed } = isAt ?? assignment;
    if (!member.isPage) blamed.failures += 1;
    this.#membership.lose(member, fault);
    const { maxShardLosses } = this.#options;
    if (blamed.failures <= maxShardLosses || blamed.done) return;
    const message = `${blamed.failures} replicas lost on one shard, expected at most ${maxShardLosses} (--max-shard-losses): ${fault.message}`;
    this.#options.onGiveUp(new GanglionError('faults', message, { cause: fault }));
  }
}
