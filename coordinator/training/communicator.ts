// How several nodes train together: every node adds its shards to one exact sum and applies the same Adam to it.

/** What is known after a member was lost. */
export interface Recovery {
  /** What every member that is left has given, in the order of `members`. */
  readonly progress: readonly number[];
}

/**
 * Collective operations of a group of nodes, after MPI: every member calls the same ones in the same order. One that is not done at a
 * member, since another was lost, gives false; the member calls `recover` then, and so do all others.
 *
 * Every operation throws GanglionError `nodes` when the group cannot go on: the others have not come in time, or cannot do without the lost.
 */
export interface Communicator {
  /** Number of this node, the same from start to end. */
  readonly node: number;
  /** Numbers of the nodes that are left, ascending; the first one writes. */
  readonly members: readonly number[];
  /** Memory that can be added up. */
  allocate(length: number): Float64Array;
  /**
   * Adds up over all members; values lie on the exact grid, so the order does not matter.
   *
   * @param from of this node, from `allocate`; stays as it is
   * @param into from `allocate`; becomes the sum of all nodes' `from`
   */
  allReduceSum(from: Float64Array, into: Float64Array): Promise<boolean>;
  /** Copies the bytes of one member to all others; as many everywhere. @param from its number */
  broadcast(bytes: Uint8Array, from: number): Promise<boolean>;
  /** Gathers the members that are left. @param progress told to all of them */
  recover(progress: number): Promise<Recovery>;
  /** Waits until all members have come here; gives all of them the same. */
  agree(): Promise<boolean>;
}

/** One node alone: every operation is the identity. */
export const SINGLE_NODE: Communicator = {
  node: 0,
  members: [0],
  allocate: (length) => new Float64Array(length),
  async allReduceSum(from, into) {
    into.set(from);
    return true;
  },
  broadcast: async () => true,
  recover: async (progress) => ({ progress: [progress] }),
  agree: async () => true,
};
