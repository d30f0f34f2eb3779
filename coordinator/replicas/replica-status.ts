// The state of a replica as metrics, the status page and the live page show it.

export type ReplicaState = 'starting' | 'idle' | 'busy' | 'restarting' | 'draining' | 'stopped';

/** State and counts of one replica. Counts continue over restarts. */
export interface ReplicaStatus {
  readonly id: number;
  readonly state: ReplicaState;
  readonly kind: string | null;
  readonly pid: number | null;
  readonly threadId: number | null;
  readonly restarts: number;
  /** Shards answered, accepted or not. */
  readonly answered: number;
  /** Time spent on these shards. */
  readonly busySeconds: number;
  /** Shards whose accepted answer came from this replica. */
  readonly shards: number;
  /** Median time of the newest shards; null before the first. */
  readonly shardSeconds: number | null;
}
