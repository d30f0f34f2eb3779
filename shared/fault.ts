// Faults that tests of a cluster order: a plan of them (coordinator/replicas/fault-plan.ts) names the place, a job carries one to its replica,
// and the replica carries it out (workers/replica/faults.ts).

/**
 * What goes wrong with one shard:
 * - `kill`: the replica's process or thread ends before it computes;
 * - `freeze`: it stops dead, for `ms` or for ever: a process also sends no heartbeat;
 * - `delay`: it computes `ms` later;
 * - `throw`: it throws;
 * - `corrupt`: its answer is no message;
 * - `nan`: one value becomes NaN before the replica checks its range;
 * - `flip`: one bit of the result is another one, and nothing says so.
 */
export const FAULT_KINDS = ['kill', 'freeze', 'delay', 'throw', 'corrupt', 'nan', 'flip'] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

/** A fault on its way to a replica. */
export interface InjectedFault {
  readonly kind: FaultKind;
  /** Milliseconds, of `freeze` (for ever without) and `delay`. */
  readonly ms?: number;
  /** Set in a replica's process: `kill` and `freeze` hit all of it, not one thread, and `corrupt` its channel. */
  readonly wholeProcess?: true;
}
