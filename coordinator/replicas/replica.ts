// A replica as the coordinator sees it, whatever carries its calls.
import type { PassSeconds, ReplicaReady, SampleJob, ShardRequest } from '../../shared/protocol.ts';

/** A shard to compute; the transport chooses where its result lies, and brings the pixels. */
export interface Shard extends ShardRequest {
  /** Indices of the images of a pass over real ones. */
  readonly images?: Uint32Array;
}

export interface ShardResult {
  /** The phase vector, every value below the exact sum's limit. */
  readonly values: Float32Array;
  readonly seconds: PassSeconds;
  readonly tensors: number;
  /** Gives the memory of the values back: to be called once, by whom the result was handed to, after which they must not be read. */
  release(): void;
}

/** One replica. Every call rejects with a GanglionError when the replica fails, ends, or misses its deadline. */
export interface Replica {
  readonly id: number;
  readonly kind: 'thread' | 'process';
  readonly ready: ReplicaReady;
  /** At most `SHARDS_IN_HAND` calls may be under way; they are answered in order. Those made at once may be sent and answered at once. */
  compute(shard: Shard): Promise<ShardResult>;
  /** How many shards it has computed and not answered yet: it is at the one after them. None unless it says so. */
  readonly computed?: number;
  /** Images [count, values of an image] in [-1, 1]; they may overtake shards. */
  sample(job: SampleJob): Promise<Float32Array>;
  /** Ends the replica; never rejects. */
  stop(): Promise<void>;
}

/** Starts the replica with this number. */
export type StartReplica = (id: number) => Promise<Replica>;
