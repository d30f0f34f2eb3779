// Flow control: how many shards and results may be on their way at a time. These numbers depend on each other, so they stand in one
// place; test/unit/shared/flow.test.ts proves the relations.

/** Outcomes of one pass that a replica in a thread sends as one message: each message that wakes the coordinator costs a replica's time. */
export const OUTCOMES_TOGETHER = 2;

/**
 * Shards of one call that a replica may hold. One more than {@link OUTCOMES_TOGETHER}: it computes the third while the first two outcomes
 * travel and the coordinator sends the next shards.
 */
export const SHARDS_OF_CALL = 3;

/**
 * A replica that holds this many shards gets no further one over real images. No phase waits for those yet, so they go to the replica
 * that answers first.
 */
export const SHARDS_BEFORE_REAL = 3;

/**
 * Shards that a replica may hold in all, of several calls; it answers them in order. {@link SHARDS_OF_CALL} of the newest call, beside
 * the {@link OUTCOMES_TOGETHER} of the call before that are still being answered.
 */
export const SHARDS_IN_HAND = SHARDS_OF_CALL + OUTCOMES_TOGETHER;

/**
 * Results that the trainer holds before it adds them. As many as the kernels add in one pass over memory: `MOST_ARRAYS` in
 * workers/engines/kernels/update.h.
 */
export const RESULTS_HELD = 8;

/** Shards that a replica may compute at once, as on a GPU: how many it does, it says when it is ready. */
export const MOST_TOGETHER = 8;

/** What a replica may hold that computes so many shards at once. */
export interface Hold {
  /** Shards of one call. */
  readonly ofCall: number;
  /** Shards in all beside which it gets no further one over real images. */
  readonly beforeReal: number;
  /** Shards in all. */
  readonly inHand: number;
}

/** One that computes several holds those of two passes: it begins the second before the first has ended. */
export function holdOf(together: number): Hold {
  if (together === 1) return { ofCall: SHARDS_OF_CALL, beforeReal: SHARDS_BEFORE_REAL, inHand: SHARDS_IN_HAND };
  const both = Math.max(SHARDS_IN_HAND, 2 * together);
  return { ofCall: Math.max(SHARDS_OF_CALL, together), beforeReal: both, inHand: both };
}

/** What a page may hold: it computes one shard while the next one travels. What it has last holds up nobody but by one shard. */
export const PAGE_HOLD: Hold = { ofCall: 1, beforeReal: 1, inHand: 2 };

/** Result slots of a replica for each pass. All results held and all shards in hand may belong to the same replica. */
export const RESULT_SLOTS = holdOf(MOST_TOGETHER).inHand + RESULTS_HELD;
