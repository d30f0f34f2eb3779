// The replicas of a node: hands shards to them, so that every shard is accepted once, whatever happens to single replicas. A lost
// replica is replaced, and its shards go to the others at once; a late shard is given to an idle replica too; a shard that has to be
// checked is computed until two answers agree.
import { type FaultReason, GanglionError } from '../../shared/error.ts';
import type { InjectedFault } from '../../shared/fault.ts';
import { SHARDS_IN_HAND } from '../../shared/flow.ts';
import { describeShard, type ReplicaReady, type SampleJob } from '../../shared/protocol.ts';
import { noteDrawn, suitability } from './affinity.ts';
import type { BadShard } from './bad-shard.ts';
import { canBeDecided, fits, freeInMs, takenBy } from './eligibility.ts';
import { addShardTime, newSeat, type Run, runUnderWay, type Seat, toFault, toStatus } from './member.ts';
import { type Answer, keep, verdictOf } from './quorum.ts';
import type { Replica, Shard, ShardResult, StartReplica } from './replica.ts';
import type { ReplicaStatus } from './replica-status.ts';
import { RestartPolicy } from './restart-policy.ts';
import { ShardTimes } from './shard-times.ts';
import { type Batch, type ShardTask, type Task, TaskQueue } from './task-queue.ts';

/** Told of what happens to shards and replicas. */
export interface GroupObserver {
  /** A replica was lost; the error names it, its shard and the reason. */
  fault(error: GanglionError): void;
  /** A late shard was given to a second replica. */
  straggler(shard: Shard, replica: number): void;
  /** A shard is computed twice, to compare the bits. */
  audit(shard: Shard): void;
  /** A replica has given the result of a shard, wanted or not. */
  computed?(replica: number, shard: Shard, result: ShardResult): void;
  /** A replica that was lost has been replaced. */
  restarted?(replica: number): void;
}

export interface ReplicaGroupOptions {
  readonly count: number;
  readonly start: StartReplica;
  readonly observer: GroupObserver;
  /** Restarts within a minute that the group survives. */
  readonly maxRestarts: number;
  /** Share of the shards that are computed twice, 0 to 1. */
  readonly audit?: number;
  /** Asked for every shard that a replica is given: what is to go wrong with it, in tests of a cluster. */
  readonly faults?: ((shard: Shard, replica: number) => InjectedFault | undefined) | undefined;
  /** Monotonic clock in milliseconds, and random numbers; tests pass their own. */
  readonly now?: () => number;
  readonly random?: () => number;
}

/** Replicas lost on one shard, or answers to it that all differ, before the run gives up. */
const ATTEMPTS = 5;
/** How often the group looks for late shards. */
const WATCH_MS = 20;
/** When it has not looked for this long, this process has stood still (Ctrl-Z, a suspended machine), and its replicas with it. */
const STANDSTILL_MS = 1_000;
/** Spreads audits evenly over shards: multiples of the golden ratio, modulo 1. */
const GOLDEN_RATIO = (Math.sqrt(5) - 1) / 2;

export class ReplicaGroup {
  readonly #options: ReplicaGroupOptions;
  readonly #now: () => number;
  readonly #policy: RestartPolicy;
  readonly #times = new ShardTimes();
  readonly #queue = new TaskQueue();
  readonly #batches = new Set<Batch>();
  #seats: Seat[];
  /** The end of the newest start: replicas start one after another, see recipes/native-tensorflow.md. */
  #starting: Promise<void> = Promise.resolve();
  /** Restarts that wait for their time, and replicas that are being ended. */
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #ending = new Set<Promise<void>>();
  #order = 0;
  #restarts = 0;
  #audits = 0;
  #watch: NodeJS.Timeout | undefined;
  #lookedMs = 0;
  #stopped = false;
  /** Backend and version of the first replica that started. */
  #computing: string | undefined;
  /** Why the group does not go on. */
  #broken: unknown;

  constructor(options: ReplicaGroupOptions) {
    const { now = () => performance.now(), random = Math.random, maxRestarts } = options;
    this.#options = options;
    this.#now = now;
    this.#policy = new RestartPolicy({ maxRestarts, now, random });
    this.#seats = Array.from({ length: options.count }, (_, id) => newSeat(id));
  }

  /**
   * Starts all replicas, one after another.
   *
   * @throws GanglionError when one does not start; those that did are stopped
   */
  async start(): Promise<void> {
    const started = (async () => {
      for (const seat of this.#seats) {
        if (seat.state !== 'draining') await this.#seat(seat);
        this.#endIfDrained(seat); // fewer may be wanted by now
      }
    })();
    this.#starting = started.catch(() => {});
    try {
      await started;
    } catch (error) {
      await this.stop();
      throw error;
    }
    this.#lookedMs = this.#now();
    this.#watch = setInterval(() => this.#lookForLateShards(), WATCH_MS).unref();
  }

  get status(): ReplicaStatus[] {
    return this.#seats.map(toStatus);
  }

  /** Replicas that there are to be. */
  get size(): number {
    return this.#seats.filter(({ state }) => state !== 'draining').length;
  }

  /** Restarts of all replicas together. */
  get restarts(): number {
    return this.#restarts;
  }

  /** What the replicas compute with, once they have started. */
  get backend(): Pick<ReplicaReady, 'backend' | 'libraryVersion' | 'device'> {
    const ready = this.#seats.find(({ replica }) => replica)?.replica?.ready;
    const { backend = 'none', libraryVersion = 'none', device } = ready ?? {};
    return { backend, libraryVersion, ...(device === undefined ? {} : { device }) };
  }

  /**
   * Computes every shard once, whatever happens to single replicas. Shards of earlier calls go first.
   *
   * @param accept called once a shard, in any order; it releases the result. Not called for bad shards
   * @returns the bad shards: those that two computations agree on to have a value that is not finite or too large
   * @throws GanglionError `faults` when replicas were lost too often
   */
  async compute(
    shards: readonly Shard[],
    accept: (shard: Shard, result: ShardResult) => void,
  ): Promise<readonly BadShard[]> {
    if (this.#broken !== undefined) throw this.#broken;
    if (shards.length === 0) return [];
    return await new Promise((resolve, reject) => {
      const batch: Batch = { accept, bad: [], unfinished: shards.length, finish: resolve, fail: reject };
      this.#batches.add(batch);
      for (const shard of shards) {
        const audited = this.#isAudited(shard);
        const order = ++this.#order;
        this.#queue.add({
          kind: 'shard',
          shard,
          batch,
          audited,
          votes: [],
          order,
          running: 0,
          failures: 0,
          done: false,
        });
      }
      this.#dispatch();
    });
  }

  /** Draws images on any replica that is alive, before all shards that wait. */
  async sample(job: SampleJob): Promise<Float32Array> {
    if (this.#broken !== undefined) throw this.#broken;
    if (this.#stopped) throw new GanglionError('replica', 'no replica is left to draw samples');
    return await new Promise((resolve, reject) => {
      const task = { kind: 'sample', job, finish: resolve, fail: reject } as const;
      this.#queue.add({ ...task, order: 0, running: 0, failures: 0, done: false });
      this.#dispatch();
    });
  }

  /** Changes the number of replicas: new ones are started, those of the highest numbers finish their shards and end. */
  resize(count: number): void {
    if (this.#stopped) return;
    const staying = this.#seats.filter(({ state }) => state !== 'draining');
    for (const seat of staying.slice(count)) {
      seat.state = 'draining';
      this.#endIfDrained(seat);
    }
    const taken = new Set(this.#seats.map(({ id }) => id));
    for (let id = 0, missing = count - staying.length; missing > 0; id++) {
      if (taken.has(id)) continue;
      missing -= 1;
      const seat = newSeat(id);
      this.#seats = [...this.#seats, seat].toSorted((a, b) => a.id - b.id);
      this.#startLater(seat, 0);
    }
    this.#dispatch(); // what waited for a replica that is not wanted any more
  }

  /** Ends all replicas; waits for starts under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#watch);
    for (const timer of this.#timers) clearTimeout(timer);
    const gone = new GanglionError('replica', 'no replica is left to draw samples');
    for (const task of this.#queue.clear()) if (task.kind === 'sample') task.fail(gone);
    await this.#starting;
    for (const seat of this.#seats) {
      seat.state = 'stopped';
      this.#end(seat.replica);
      seat.replica = undefined;
    }
    await Promise.all(this.#ending);
  }

  /** Ends a replica; {@link stop} waits for it. */
  #end(replica: Replica | undefined): Promise<void> {
    if (!replica) return Promise.resolve();
    const ended = replica.stop();
    this.#ending.add(ended);
    return ended.finally(() => this.#ending.delete(ended));
  }

  /** Hands out what waits, one task after another, each to the replica that seems to be free first of those that may take one. */
  #dispatch(): void {
    while (this.#queue.length > 0 && this.#handOut());
  }

  /** @returns whether there was a task that a replica could take */
  #handOut(): boolean {
    const now = this.#now();
    const seats = this.#seats
      .filter(({ state, runs }) => state === 'idle' && runs.length < SHARDS_IN_HAND)
      .map((seat) => ({ seat, freeInMs: freeInMs(seat, this.#times, now) }))
      .sort((a, b) => a.freeInMs - b.freeInMs || a.seat.runs.length - b.seat.runs.length);
    for (const { seat } of seats) {
      const task = this.#queue.take(takenBy(seat, this.#seats, this.#isLate), ({ shard }) =>
        suitability(shard, seat, this.#seats),
      );
      if (!task || !seat.replica) continue;
      this.#run(seat, seat.replica, task);
      return true;
    }
    return false;
  }

  #run(seat: Seat, replica: Replica, task: Task): void {
    const run: Run = { task };
    if (seat.runs.length === 0) seat.sinceMs = this.#now();
    seat.runs.push(run);
    task.running += 1;
    if (task.kind === 'sample') {
      replica.sample(task.job).then(
        (images) => this.#answered(seat, run, () => this.#finish(task, () => task.finish(images))),
        (error: unknown) => this.#failed(seat, run, error),
      );
      return;
    }
    const fault = this.#options.faults?.(task.shard, seat.id);
    replica.compute(fault ? { ...task.shard, fault } : task.shard).then(
      (result) => {
        if (seat.replica === replica) {
          this.#options.observer.computed?.(seat.id, task.shard, result);
          seat.busyMs += (result.seconds.ahead?.seconds ?? 0) * 1000;
        }
        this.#answered(seat, run, () => this.#vote(replica, task, { result }), result);
      },
      (error: unknown) => {
        // A replica that finds a value out of range works; whether the value is bad or the replica, another one shows.
        if (error instanceof GanglionError && error.code === 'range') {
          this.#answered(seat, run, () => this.#vote(replica, task, { bad: error.message }));
        } else this.#failed(seat, run, error);
      },
    );
  }

  /** @param result of a shard, which `use` hands on; released here if that is not called */
  #answered(seat: Seat, run: Run, use: () => void, result?: ShardResult): void {
    const at = seat.runs.indexOf(run); // images may overtake shards
    if (at === -1) {
      result?.release(); // of a replica that was given up meanwhile
      return;
    }
    seat.runs.splice(at, 1);
    const now = this.#now();
    if (run.task.kind === 'shard') {
      seat.answered += 1;
      seat.busyMs += now - seat.sinceMs;
      if (result) {
        const { prepare, compute, copy } = result.seconds;
        const ms = (prepare + compute + copy) * 1000;
        this.#times.add(run.task.shard.pass, ms);
        addShardTime(seat, ms);
      }
      noteDrawn(seat.drawn, run.task.shard);
    }
    seat.sinceMs = now;
    seat.failures = 0;
    run.task.running -= 1;
    const wasDone = run.task.done;
    try {
      if (!wasDone || run.task.kind === 'shard') use();
    } catch (error) {
      this.#giveUp(error);
    }
    if (!wasDone && run.task.done && run.task.kind === 'shard') seat.shards += 1;
    this.#endIfDrained(seat);
    this.#dispatch();
  }

  #vote(replica: Replica, task: ShardTask, answer: Answer): void {
    if (task.done) {
      this.#judgeLate(replica, task, answer);
      return;
    }
    if ('result' in answer && !task.audited && task.votes.length === 0) {
      this.#finish(task, () => task.batch.accept(task.shard, answer.result));
      return;
    }
    task.votes.push({ voter: replica, answer: keep(answer) });
    const verdict = verdictOf(task.votes);
    if (!verdict) {
      if (task.votes.length === ATTEMPTS) {
        throw new GanglionError(
          'faults',
          `${ATTEMPTS} computations of ${describeShard(task.shard)} gave other bits each`,
        );
      }
      if (task.running > 0) return;
      this.#queue.add(task);
      if (!canBeDecided(task, this.#seats)) this.#blameAll(task);
      return;
    }
    for (const { voter, answer: other } of verdict.dissenters) this.#accuse(voter, task.shard, other);
    const { shard, batch, votes } = task;
    const right = verdict.answer;
    this.#finish(task, () => {
      if ('result' in right) {
        batch.accept(shard, right.result);
        return;
      }
      const agreeing = votes.filter((vote) => !verdict.dissenters.includes(vote));
      batch.bad.push({ shard, replicas: agreeing.map(({ voter }) => voter.id), what: right.bad });
    });
  }

  /**
   * An answer that comes when others have decided. Nobody needs it, but as long as its call is not over it shows whether its replica is
   * right; after that, the parameters may have changed while it was computed.
   */
  #judgeLate(replica: Replica, { shard, batch, votes }: ShardTask, answer: Answer): void {
    const isCompared = votes.length > 0 || 'bad' in answer;
    if (!isCompared || batch.unfinished === 0) {
      if ('result' in answer) answer.result.release();
      return;
    }
    const late = { voter: replica, answer: keep(answer) };
    const isWrong = votes.length === 0 || verdictOf([...votes, late])?.dissenters.includes(late);
    if (isWrong) this.#accuse(replica, shard, late.answer);
  }

  /** Replaces a replica that gave another answer than two others. */
  #accuse(replica: Replica, shard: Shard, answer: Answer): void {
    if ('bad' in answer) this.#blame(replica, shard, 'range', `${answer.bad}, where others have none`);
    else this.#blame(replica, shard, 'audit', 'its result has other bits than two others');
  }

  /** Each stays by another answer. Which is right, new replicas show; all are replaced, as the wrong one would compute other shards. */
  #blameAll({ votes, shard }: ShardTask): void {
    for (const replica of new Set(votes.map(({ voter }) => voter))) {
      this.#blame(replica, shard, 'audit', 'it and others stay by answers that differ');
    }
  }

  #blame(replica: Replica, shard: Shard, reason: FaultReason, what: string): void {
    const seat = this.#seats.find((other) => other.replica === replica);
    if (!seat) return; // gone already
    this.#lose(seat, toFault(new GanglionError('replica', what, { reason }), replica.id, shard));
  }

  #finish(task: Task, use: () => void): void {
    task.done = true;
    this.#queue.remove(task);
    use();
    if (task.kind === 'sample') return;
    const { batch } = task;
    if (--batch.unfinished > 0) return;
    this.#batches.delete(batch);
    batch.finish(batch.bad);
  }

  #failed(seat: Seat, run: Run, error: unknown): void {
    if (!seat.runs.includes(run)) return; // known already
    const { task } = run;
    const fault = toFault(error, seat.id, task.kind === 'shard' ? task.shard : undefined);
    if (this.#stopped || this.#broken !== undefined) {
      if (task.kind === 'sample') task.fail(fault);
      return;
    }
    task.failures += 1;
    this.#lose(seat, fault);
    if (task.failures < ATTEMPTS || task.done) return;
    this.#giveUp(
      new GanglionError('faults', `${ATTEMPTS} replicas lost on one shard: ${fault.message}`, { cause: fault }),
    );
  }

  /** Reports a loss, gives the shards of the replica to others, and puts a new replica into the seat. */
  #lose(seat: Seat, fault: GanglionError): void {
    if (this.#stopped || this.#broken !== undefined) return;
    this.#options.observer.fault(fault);
    const { replica } = seat;
    for (const { task } of seat.runs.splice(0)) {
      task.running -= 1;
      if (!task.done && task.running === 0) this.#queue.add(task);
    }
    seat.replica = undefined;
    seat.failures += 1;
    if (seat.state === 'draining') {
      void this.#end(replica);
      this.#endIfDrained(seat);
    } else {
      seat.state = 'restarting';
      seat.restarts += 1;
      this.#restarts += 1;
      this.#replace(seat, replica, fault);
    }
    this.#dispatch();
  }

  #replace(seat: Seat, lost: Replica | undefined, { message, reason }: GanglionError): void {
    try {
      this.#policy.lost(message);
    } catch (error) {
      void this.#end(lost);
      this.#giveUp(error);
      return;
    }
    const startLater = (): void => this.#startLater(seat, this.#policy.delayMs(seat.failures));
    const ended = this.#end(lost);
    // One that gives no answer gives none to its end either: that is not waited for.
    if (reason === 'deadline') startLater();
    else void ended.then(startLater);
  }

  /** Starts a replica when the starts before have ended; a failure counts as a loss. */
  #startLater(seat: Seat, delayMs: number): void {
    if (this.#stopped) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      const wanted = (): boolean => !this.#stopped && this.#broken === undefined && seat.state !== 'draining';
      this.#starting = this.#starting.then(async () => {
        if (!wanted()) return this.#endIfDrained(seat);
        try {
          await this.#seat(seat);
          if (seat.restarts > 0 && wanted()) this.#options.observer.restarted?.(seat.id);
        } catch (error) {
          if (wanted()) this.#lose(seat, toFault(error, seat.id));
        }
        this.#endIfDrained(seat);
        this.#dispatch();
      });
    }, delayMs);
    this.#timers.add(timer);
  }

  async #seat(seat: Seat): Promise<void> {
    seat.replica = await this.#check(await this.#options.start(seat.id));
    if (seat.state !== 'draining') seat.state = 'idle';
  }

  /** Refuses a replica that computes with something else than the first one: its bits would be others. */
  async #check(replica: Replica): Promise<Replica> {
    const computing = `${replica.ready.backend} ${replica.ready.libraryVersion}`;
    this.#computing ??= computing;
    if (computing === this.#computing) return replica;
    await this.#end(replica);
    const message = `replica ${replica.id} computes on ${computing}, expected ${this.#computing}, as the others`;
    throw new GanglionError('environment', message, { place: { replica: replica.id }, reason: 'error' });
  }

  #endIfDrained(seat: Seat): void {
    if (seat.state !== 'draining' || seat.runs.length > 0) return;
    this.#seats = this.#seats.filter((other) => other !== seat);
    void this.#end(seat.replica);
    seat.replica = undefined;
  }

  #isAudited(shard: Shard): boolean {
    const { audit = 0, observer } = this.#options;
    if (audit === 0 || (++this.#audits * GOLDEN_RATIO) % 1 >= audit) return false;
    observer.audit(shard);
    return true;
  }

  #lookForLateShards(): void {
    const now = this.#now();
    const stillMs = now - this.#lookedMs;
    this.#lookedMs = now;
    for (const seat of this.#seats) {
      const head = runUnderWay(seat);
      if (!head) continue;
      if (stillMs > STANDSTILL_MS) seat.sinceMs = Math.min(seat.sinceMs + stillMs, now);
      const lateMs = now - seat.sinceMs;
      if (this.#times.isOverdue(head.task.kind === 'shard' ? head.task.shard.pass : undefined, lateMs)) {
        const message = `replica ${seat.id} gave no answer in ${Math.round(lateMs)} ms`;
        const late = new GanglionError('replica', message, { place: { replica: seat.id }, reason: 'deadline' });
        this.#failed(seat, head, late);
      } else if (this.#isLate(seat)) {
        this.#assist(seat);
        this.#dispatch(); // what waited for its answer
      }
    }
  }

  readonly #isLate = (seat: Seat): boolean => {
    const head = runUnderWay(seat);
    return head?.task.kind === 'shard' && this.#times.isLate(head.task.shard.pass, this.#now() - seat.sinceMs);
  };

  /** Gives the shards of a late replica to idle ones, too: the first answer counts. */
  #assist(late: Seat): void {
    const idle = this.#seats.filter(({ state, runs }) => state === 'idle' && runs.length === 0);
    const underWay = runUnderWay(late);
    for (const { task } of late.runs.toSorted((a, b) => Number(b === underWay) - Number(a === underWay))) {
      if (task.kind !== 'shard' || task.done || task.running > 1) continue;
      const at = idle.findIndex((seat) => fits(task, seat, this.#seats, this.#isLate));
      const [helper] = at === -1 ? [] : idle.splice(at, 1);
      if (!helper?.replica) continue;
      this.#options.observer.straggler(task.shard, late.id);
      this.#run(helper, helper.replica, task);
    }
  }

  /** Ends everything that waits, with the reason; the group does not go on after that. */
  #giveUp(error: unknown): void {
    if (this.#broken !== undefined) return;
    this.#broken = error;
    for (const batch of this.#batches) batch.fail(error);
    this.#batches.clear();
    for (const task of this.#queue.clear()) if (task.kind === 'sample') task.fail(error);
  }
}
