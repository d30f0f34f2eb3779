// Stub replicas for tests of the group: every call waits until the test answers it.
import type { Replica, Shard, ShardResult } from '../../../coordinator/replica.ts';
import type { SampleJob } from '../../../shared/protocol.ts';

/** A call of a replica under way. */
export interface Call {
  readonly replica: StubReplica;
  readonly shard: Shard;
  /** Writes the shard's number into the replica's slot and answers. */
  readonly answer: () => void;
  readonly fail: (error: unknown) => void;
}

/** A replica with two result slots used in turn, as a thread has them. */
export class StubReplica implements Replica {
  readonly kind = 'thread';
  readonly ready;
  readonly id: number;
  stopped = false;
  readonly samples: SampleJob[] = [];
  onSample: (job: SampleJob) => Promise<Float32Array> = async ({ count }) => new Float32Array(count);
  onStop: () => Promise<void> = async () => {};
  readonly #calls: Call[];
  readonly #slots = [new Float64Array(1), new Float64Array(1)] as const;
  #slot: 0 | 1 = 0;
  #busy = false;

  constructor(id: number, generation: number, calls: Call[]) {
    this.id = id;
    this.ready = { backend: 'stub', libraryVersion: '1.2', threadId: 10 + id, pid: 100 * generation + id };
    this.#calls = calls;
  }

  compute(shard: Shard): Promise<ShardResult> {
    if (this.#busy) throw new Error(`replica ${this.id} was given shard ${shard.shard} while it computes`);
    if (this.stopped) throw new Error(`replica ${this.id} was given shard ${shard.shard} after its end`);
    this.#busy = true;
    this.#slot = this.#slot === 0 ? 1 : 0;
    const values = this.#slots[this.#slot];
    values[0] = Number.NaN; // being written
    return new Promise((resolve, reject) => {
      const end = (): void => {
        this.#busy = false;
        this.#calls.splice(this.#calls.indexOf(call), 1);
      };
      const call: Call = {
        replica: this,
        shard,
        answer: () => {
          end();
          values[0] = shard.shard;
          resolve({ values, seconds: { prepare: 0, compute: 0, round: 0 }, tensors: 0 });
        },
        fail: (error) => {
          end();
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
  }
}

/** Starts stubs and remembers them; a test may delay a start or make it fail. */
export class StubStarter {
  /** Calls under way, oldest first. */
  readonly calls: Call[] = [];
  readonly started: StubReplica[] = [];
  /** Starts under way at once, at most. */
  mostAtOnce = 0;
  beforeStart: (id: number, attempt: number) => Promise<void> = async () => {};
  onStarted: (replica: StubReplica) => void = () => {};
  #atOnce = 0;
  #attempts = 0;

  readonly start = async (id: number): Promise<StubReplica> => {
    this.mostAtOnce = Math.max(this.mostAtOnce, ++this.#atOnce);
    try {
      await settled();
      await this.beforeStart(id, ++this.#attempts);
      const generation = this.started.filter((replica) => replica.id === id).length;
      const replica = new StubReplica(id, generation, this.calls);
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

/** Lets everything run that waits for nothing but promises. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Shards 0 to count - 1 of one phase. */
export function shardsOf(count: number, step = 5): Shard[] {
  return Array.from({ length: count }, (_, shard) => ({ step, phase: 'generator', shard }));
}
