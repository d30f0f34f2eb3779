// What a replica group is told, and what it tells.
import type { GanglionError } from '../../shared/error.ts';
import type { InjectedFault } from '../../shared/fault.ts';
import type { Shard, ShardResult, StartReplica } from './replica.ts';

/** Receives events about shards and replicas. */
export interface GroupObserver {
  /** A replica was lost; the error names it, its shard and the reason. */
  fault(error: GanglionError): void;
  /** A straggler's shard was given to a second replica. */
  straggler(shard: Shard, replica: number): void;
  /** A shard is computed twice, to compare the bits. */
  audit(shard: Shard): void;
  /** A replica has given the result of a shard, accepted or not. */
  computed?(replica: number, shard: Shard, result: ShardResult): void;
  /** A lost replica has been replaced. */
  restarted?(replica: number): void;
  /** A page that has lent a replica is gone, after so many shards that counted. */
  left?(replica: number, shards: number, why: GanglionError): void;
}

export interface ReplicaGroupOptions {
  readonly count: number;
  readonly start: StartReplica;
  /** Restarts of each replica by now, where it takes the place of one of a group before. */
  readonly restarts?: ReadonlyMap<number, number>;
  readonly observer: GroupObserver;
  /** Restarts within a minute that the group survives. */
  readonly maxRestarts: number;
  /** Replicas lost on one shard that the group survives. */
  readonly maxShardLosses: number;
  /** Share of the shards that are computed twice, 0 to 1. */
  readonly audit?: number;
  /** Share of the shards of pages that are only compared with what other replicas give, 0 to 1. Default: all. */
  readonly pageAudit?: number;
  /** Asked for every assigned shard: the fault to inject, in tests of a cluster. */
  readonly faults?: ((shard: Shard, replica: number) => InjectedFault | undefined) | undefined;
  /** Monotonic clock in milliseconds, and random numbers; tests pass their own. */
  readonly now?: () => number;
  readonly random?: () => number;
  /** Uniform in [0, 1): which shards of pages are compared. */
  readonly chance?: () => number;
}
