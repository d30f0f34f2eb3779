// What a node tells the first one about itself.
import type { ReplicaStatus } from './replica-status.ts';

/** Counts are since the node's process began to train. */
export interface NodeReport {
  readonly host: string;
  readonly pid: number;
  /** Port of the node's metrics; null where it serves none. */
  readonly metricsPort: number | null;
  readonly replicas: readonly ReplicaStatus[];
  /** Replicas lost. */
  readonly lost: number;
  /** Late shards that were given to a second replica. */
  readonly stragglers: number;
  /** Time for which the node has waited for sums over all nodes: least where the slowest replicas are. */
  readonly reduceSeconds: number;
}
