// The replicas of a node: every shard is accepted once, whatever happens to single replicas. The membership replaces the lost, the
// dispatcher assigns tasks and takes answers; this class wires them to the queue and the clock.
import { randomInt } from 'node:crypto';
import { GanglionError } from '../../shared/error.ts';
import type { ReplicaReady, SampleJob } from '../../shared/protocol.ts';
import type { BadShard } from './bad-shard.ts';
import { Dispatcher } from './dispatcher.ts';
import type { ReplicaGroupOptions } from './group-options.ts';
import { type Member, newMember, takeBack, toStatus } from './member.ts';
import { Membership } from './membership.ts';
import { createAuditor } from './quorum.ts';
import type { Replica, Shard, TakenResult } from './replica.ts';
import type { ReplicaStatus } from './replica-status.ts';
import { RestartPolicy } from './restart-policy.ts';
import { type ShardTask, TaskQueue } from './task-queue.ts';
import { Watch } from './watch.ts';

export class ReplicaGroup {
  readonly #queue = new TaskQueue();
  readonly #membership: Membership<Member>;
  readonly #dispatcher: Dispatcher;
  readonly #watch: Watch;
  readonly #choose: (shard: Shard) => Pick<ShardTask, 'audited' | 'isChecked'>;
  #stopped = false;
  /** Why the group has given up. */
  #broken: unknown;

  constructor(options: ReplicaGroupOptions) {
    const { count, start, restarts, observer, faults, maxRestarts, maxShardLosses, audit = 0 } = options;
    const { now = () => performance.now(), random = Math.random, pageAudit = 1, chance = secretChance } = options;
    const queue = this.#queue;
    const onGiveUp = (error: unknown): void => this.fail(error);
    this.#membership = new Membership({
      count,
      create: (id) => ({ ...newMember(id), restarts: restarts?.get(id) ?? 0 }),
      start,
      policy: new RestartPolicy({ maxRestarts, now, random }),
      isBusy: ({ assignments }) => assignments.length > 0,
      onLost: (member, fault) => {
        if (member.isPage) observer.left?.(member.id, member.shards, fault);
        else observer.fault(fault);
        for (const task of takeBack(member)) queue.putBack(task);
      },
      onChange: () => this.#dispatcher.dispatch(),
      onRestarted: (id) => observer.restarted?.(id),
      onGiveUp,
    });
    const membership = this.#membership;
    this.#dispatcher = new Dispatcher({
      queue,
      membership,
      observer,
      faults,
      now,
      maxShardLosses,
      onGiveUp,
    });
    this.#watch = new Watch(now, (stoodStillMs) => this.#dispatcher.look(stoodStillMs));
    const isChosen = createAuditor(audit);
    this.#choose = (shard) => {
      const audited = isChosen();
      if (audited) observer.audit(shard);
      return {
        audited,
        isChecked: audited || this.#dispatcher.hasWrongPage || pageAudit === 1 || chance() < pageAudit,
      };
    };
  }

  /**
   * Starts all replicas, one after another.
   *
   * @throws GanglionError when one does not start; those that did are stopped
   */
  async start(): Promise<void> {
    try {
      await this.#membership.start();
    } catch (error) {
      await this.stop();
      throw error;
    }
    if (!this.#stopped) this.#watch.start();
  }

  get status(): ReplicaStatus[] {
    return this.#membership.members.map(toStatus);
  }

  /** Target number of replicas, without those of pages. */
  get size(): number {
    return this.#membership.size;
  }

  /** Restarts of all replicas. */
  get restarts(): number {
    return this.#membership.restarts;
  }

  /** What the replicas compute with, once they have started; where that differs, all of it. Pages come and go: without theirs. */
  get computing(): Pick<ReplicaReady, 'engine' | 'libraryVersion' | 'device'> {
    const own = this.#membership.members.filter(({ isPage }) => !isPage);
    const ready = own.flatMap(({ replica }) => replica?.ready ?? []);
    const all = (texts: readonly string[]): string => [...new Set(texts)].join(' + ') || 'none';
    const devices = ready.flatMap(({ device }) => device ?? []);
    return {
      engine: all(ready.map(({ engine }) => engine)),
      libraryVersion: all(ready.map(({ libraryVersion }) => libraryVersion)),
      ...(devices.length === 0 ? {} : { device: all(devices) }),
    };
  }

  /**
   * Computes every shard once, whatever happens to single replicas. Shards of earlier calls go first.
   *
   * @param accept called once a shard, in any order; it releases the result. Not called for bad shards
   * @returns the bad shards: two computations agree that they have a value that is not finite or too large
   * @throws GanglionError `faults` when replicas were lost too often
   */
  async compute(
    shards: readonly Shard[],
    accept: (shard: Shard, result: TakenResult) => void,
  ): Promise<readonly BadShard[]> {
    if (this.#broken !== undefined) throw this.#broken;
    if (shards.length === 0) return [];
    const computed = this.#queue.addShards(shards, accept, this.#choose);
    this.#dispatcher.dispatch();
    return await computed;
  }

  /** Draws images on any replica that is alive, before all shards that wait. */
  async sample(job: SampleJob): Promise<Float32Array> {
    if (this.#broken !== undefined) throw this.#broken;
    if (this.#stopped) throw noReplicaLeft();
    const images = this.#queue.addSample(job);
    this.#dispatcher.dispatch();
    return await images;
  }

  /** Changes the number of replicas: starts new ones; those of the highest numbers finish their shards and end. */
  resize(count: number): void {
    this.#membership.resize(count);
  }

  /**
   * Takes in a replica that a page lends, until it is lost.
   *
   * @throws GanglionError where its bits would be others, or nothing is computed any more; it is not stopped then
   */
  join(replica: Replica): void {
    this.#membership.join(newMember(replica.id, true), replica);
  }

  /** A replica that a page lends is gone, also without anything to compute. */
  leave(replica: Replica, why: GanglionError): void {
    const member = this.#membership.members.find((one) => one.replica === replica);
    if (member) this.#membership.lose(member, why);
  }

  /** Ends all replicas; waits for the start under way, not for long. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#watch.stop();
    this.#queue.dropWaiting(noReplicaLeft());
    await this.#membership.stop();
  }

  /** Rejects everything that waits with this error; the group computes nothing after that. */
  fail(error: unknown): void {
    if (this.#broken !== undefined) return;
    this.#broken = error;
    this.#membership.close();
    for (const { assignments } of this.#membership.members) for (const { forget } of assignments) forget?.();
    this.#queue.failAll(error);
  }
}

/** Uniform in [0, 1), and nothing that a page could foresee. */
const secretChance = (): number => randomInt(2 ** 32) / 2 ** 32;

function noReplicaLeft(): GanglionError {
  return new GanglionError('replica', 'no replica is left to draw samples');
}
