// A replica as the coordinator sees it, over any transport.
import { type DevicePlace, isOnHost } from '../../shared/device-memory.ts';
import type { GanglionError } from '../../shared/error.ts';
import type { DeviceOrder, PassSeconds, ReplicaReady, SampleJob, ShardRequest } from '../../shared/protocol.ts';

/** A shard to compute. The transport chooses the slot of its result, and brings the pixels. */
export interface Shard extends ShardRequest, DeviceOrder {
  /** Indices of the images of a pass over real ones. */
  readonly images?: Uint32Array;
}

/** A result in the memory of a device. */
export interface DeviceResult extends DevicePlace {
  /** Copies the values. */
  read(): Float32Array;
}

/** The values of a result on the host: themselves, or a copy of those of a device. */
export function toHost(values: ShardResult['values']): Float32Array {
  return isOnHost(values) ? values : values.read();
}

export interface ShardResult {
  /** The phase vector, every value below the exact sum's limit. */
  readonly values: Float32Array | DeviceResult;
  readonly seconds: PassSeconds;
  readonly tensors: number;
  /** Gives the memory of the values back. The receiver of the result calls it once, and does not read the values after that. */
  release(): void;
}

/** A result as a phase takes it: it is there, or on its way in the memory of a device. */
export interface TakenResult extends Pick<ShardResult, 'values' | 'release'> {
  /** Of one on its way: once the replica knows; undefined when it is lost before that. */
  readonly seconds: PassSeconds | Promise<PassSeconds | undefined>;
  readonly tensors: number;
  /** Of one on its way: what the device must wait for before it reads the values. */
  readonly mark?: number;
}

/** One on its way, as its replica gives it. */
export type BegunResult = Pick<ShardResult, 'values' | 'release'> & { readonly mark: number };

/** One replica. Every call rejects with a GanglionError when the replica fails, ends, or misses its deadline. */
export interface Replica {
  readonly id: number;
  /** A page is nobody's to trust: what it gives counts only as the setting `pageAudit` says. */
  readonly kind: 'thread' | 'process' | 'page';
  readonly ready: ReplicaReady;
  /**
   * As many calls as `holdOf` of shared/flow.ts says may be under way, without those that have begun; they are answered in order. Those made at
   * once may be sent and answered at once.
   *
   * @param onBegun of a shard that may be `ahead`: gets the result, which it releases, when that is on its way; a later answer has nothing to
   *   release then
   */
  compute(shard: Shard, onBegun?: (result: BegunResult) => void): Promise<ShardResult>;
  /** Shards that it has computed and not answered yet: it computes the one after them. 0 if absent. */
  readonly computed?: number;
  /** Images [count, values of an image] in [-1, 1]; they may overtake shards. */
  sample(job: SampleJob): Promise<Float32Array>;
  /** Ends the replica; never rejects. @param why it is no longer wanted, for the one who lends it */
  stop(why?: GanglionError): Promise<void>;
}

/** Starts the replica with this number. @param abandon aborts when it is no longer wanted, and has not started in time */
export type StartReplica = (id: number, abandon: AbortSignal) => Promise<Replica>;
