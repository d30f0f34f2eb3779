// Stub replicas for tests of the group: every call waits until the test answers it.
import { expect } from 'vitest';
import type { GroupObserver, ReplicaGroupOptions } from '../../../../coordinator/replicas/group-options.ts';
import {
  type BegunResult,
  type Replica,
  type Shard,
  type ShardResult,
  toHost,
} from '../../../../coordinator/replicas/replica.ts';
import { ReplicaGroup } from '../../../../coordinator/replicas/replica-group.ts';
import type { GanglionError } from '../../../../shared/error.ts';
import { SHARDS_IN_HAND } from '../../../../shared/flow.ts';
import type { ReplicaReady, SampleJob } from '../../../../shared/protocol.ts';

/** A call of a replica under way. */
export interface Call {
  readonly replica: StubReplica;
  readonly shard: Shard;
  /** Says that the result is on its way. */
  readonly begin: () => void;
  /** Writes a value, the shard's number unless given, into the replica's slot and answers. */
  readonly answer: (value?: number) => void;
  readonly fail: (error: unknown) => void;
}

/** A replica with few result slots, so that one which is not released is missed. */
export class StubReplica implements Replica {
  readonly kind = 'thread';
  readonly ready: ReplicaReady;
  readonly id: number;
  stopped = false;
  computed = 0;
  readonly samples: SampleJob[] = [];
  onSample: (job: SampleJob) => Promise<Float32Array> = async ({ count }) => new Float32Array(count);
  onStop: () => Promise<void> = async () => {};
  readonly #calls: Call[];
  /** Slots that are free. */
  readonly #slots = Array.from({ length: SHARDS_IN_HAND + 1 }, () => new Float32Array(1));
  readonly #now: () => number;
  #underWay = 0;
  #answeredMs = 0;

  constructor(
    id: number,
    generation: number,
    calls: Call[],
    { computing, now }: Pick<StubStarter, 'computing' | 'now'>,
  ) {
    this.id = id;
    this.#now = now;
    this.ready = {
      engine: 'stub',
      libraryVersion: '1.2',
      threadId: 10 + id,
      pid: 100 * generation + id,
      ...computing,
    };
    this.#calls = calls;
  }

  compute(shard: Shard, onBegun?: (result: BegunResult) => void): Promise<ShardResult> {
    if (this.#underWay === SHARDS_IN_HAND)
      throw new Error(`replica ${this.id} was given shard ${shard.shard} beside ${SHARDS_IN_HAND} others`);
    if (this.stopped) throw new Error(`replica ${this.id} was given shard ${shard.shard} after its end`);
    this.#underWay += 1;
    const values = this.#slots.shift();
    if (!values) throw new Error(`replica ${this.id} has no free slot: results were not released`);
    const release = (): void => {
      if (this.#slots.includes(values)) throw new Error('a result was released twice');
      this.#slots.push(values);
    };
    values[0] = Number.NaN; // being written
    const askedMs = this.#now();
    let isBegun = false;
    return new Promise((resolve, reject) => {
      const end = (): void => {
        const at = this.#calls.indexOf(call);
        if (at === -1) return; // a second time
        this.#calls.splice(at, 1);
        this.#underWay -= 1;
      };
      const call: Call = {
        replica: this,
        shard,
        begin: () => {
          isBegun = true;
          values[0] = shard.shard;
          onBegun?.({ values, mark: 5, release });
        },
        answer: (value = shard.shard) => {
          end();
          values[0] = value;
          const compute = (this.#now() - Math.max(askedMs, this.#answeredMs)) / 1000;
          this.#answeredMs = this.#now();
          resolve({
            values,
            seconds: { start: 0, prepare: 0, compute, copy: 0 },
            tensors: 0,
            release: isBegun ? () => {} : release,
          });
        },
        fail: (error) => {
          end();
          if (!isBegun) release();
          reject(error);
        },
      };
      this.#calls.push(call);
    });
  }

  async sample(job: SampleJob): Promise<Float32Array> {
    this.samples.push(job);
    return this.onSample(job);
  }

  async stop(): Promise<void> {
    await this.onStop();
    this.stopped = true;
    for (const call of this.#calls.filter(({ replica }) => replica === this)) call.fail(new Error('it has ended'));
  }
}

/** Starts stubs and remembers them; a test may delay a start or make it fail. */
export class StubStarter {
  /** Calls under way, oldest first. */
  readonly calls: Call[] = [];
  readonly started: StubReplica[] = [];
  /** Starts under way at once, at most. */
  mostAtOnce = 0;
  beforeStart: (id: number, attempt: number, abandon: AbortSignal) => Promise<void> = async () => {};
  onStarted: (replica: StubReplica) => void = () => {};
  /** What the next ones compute with, where not with the same. */
  computing: Partial<ReplicaReady> = {};
  /** The clock of the replicas. */
  now: () => number = () => performance.now();
  #atOnce = 0;
  #attempts = 0;

  readonly start = async (id: number, abandon: AbortSignal): Promise<StubReplica> => {
    this.mostAtOnce = Math.max(this.mostAtOnce, ++this.#atOnce);
    try {
      await settled();
      await this.beforeStart(id, ++this.#attempts, abandon);
      const generation = this.started.filter((replica) => replica.id === id).length;
      const replica = new StubReplica(id, generation, this.calls, this);
      this.started.push(replica);
      this.onStarted(replica);
      return replica;
    } finally {
      this.#atOnce--;
    }
  };

  get attempts(): number {
    return this.#attempts;
  }

  /** What every replica is at: a replica answers in the order in which it was asked. */
  get heads(): Call[] {
    return this.calls.filter(({ replica }, i) => this.calls.findIndex((call) => call.replica === replica) === i);
  }

  /** Calls under way as pairs of replica and shard. */
  get pairs(): [replica: number, shard: number][] {
    return this.calls.map(({ replica, shard }) => [replica.id, shard.shard]);
  }

  /** The oldest call under way. */
  next(): Call {
    const [call] = this.calls;
    if (!call) throw new Error('no replica computes');
    return call;
  }

  /** Answers calls, oldest first, until none comes any more. */
  async answerAll(): Promise<void> {
    await settled();
    while (this.calls.length > 0) {
      this.next().answer();
      await settled();
    }
  }
}

const { setImmediate: realSetImmediate } = globalThis;

/** Lets everything run that waits for nothing but promises. */
export function settled(): Promise<void> {
  return new Promise((resolve) => realSetImmediate(resolve));
}

/** What a group told its observer. */
export class Observed implements GroupObserver {
  readonly faults: GanglionError[] = [];
  readonly stragglers: [shard: number, replica: number][] = [];
  readonly audits: number[] = [];

  fault(error: GanglionError): void {
    this.faults.push(error);
  }

  straggler({ shard }: Shard, replica: number): void {
    this.stragglers.push([shard, replica]);
  }

  readonly gone: [page: number, shards: number, reason: string | undefined][] = [];

  left(page: number, shards: number, { reason }: GanglionError): void {
    this.gone.push([page, shards, reason]);
  }

  audit({ shard }: Shard): void {
    this.audits.push(shard);
  }
}

/**
 * A started group of stubs. The test's fake timers, where it has any, are the group's clock; the jitter is the longest.
 *
 * @param options of the group, beside those that the stubs give
 */
export async function stubGroup(count: number, options: Partial<ReplicaGroupOptions> = {}) {
  const starter = new StubStarter();
  if (options.now) starter.now = options.now;
  const observed = new Observed();
  const given = {
    count,
    start: starter.start,
    observer: observed,
    maxRestarts: 100,
    maxShardLosses: 4,
    random: () => 1,
    ...options,
  };
  const group = new ReplicaGroup(given);
  await group.start();
  const accepted: number[] = [];
  const compute = (shards: number, step?: number) => {
    const computed = group.compute(shardsOf(shards, step), ({ shard }, { values, release }) => {
      // The value is read when the shard is accepted: a slot written again by then holds NaN or another number.
      expect(toHost(values)[0]).toBe(shard);
      accepted.push(shard);
      release();
    });
    computed.catch(() => {}); // a test that expects a rejection waits for it later
    return computed;
  };
  return { group, starter, observed, accepted, compute };
}

/** Shards 0 to count - 1 of one phase. */
export function shardsOf(count: number, step = 5): Shard[] {
  return Array.from({ length: count }, (_, shard) => ({ step, pass: 'generator', shard }));
}
