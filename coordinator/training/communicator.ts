// How several nodes train together: every node adds its shards to one exact sum and applies the same Adam to it.

/** Collective operations of a group of nodes, after MPI. */
export interface Communicator {
  /** Number of this node, 0 to size - 1. */
  readonly rank: number;
  readonly size: number;
  /** Replaces `values` by their sum over all nodes; values lie on the exact grid, so the order does not matter. */
  allReduceSum(values: Float64Array): Promise<void>;
}

/** One node alone: every operation is the identity. */
export const SINGLE_NODE: Communicator = {
  rank: 0,
  size: 1,
  allReduceSum: async () => {},
};
