// A shard that cannot be added up: the update of its phase is skipped.
import { describeShard } from '../../shared/protocol.ts';
import type { Shard } from './replica.ts';

/** A shard whose result no sum can take: two computations agree on that. */
export interface BadShard {
  readonly shard: Shard;
  /** Numbers of the replicas that found it. */
  readonly replicas: readonly number[];
  /** Names the value and its place. */
  readonly what: string;
}

/** Describes the shard in one line: step, phase, shard, value and replicas. */
export function describeBadShard({ shard, replicas, what }: BadShard): string {
  return `${describeShard(shard)}: ${what} (replicas ${replicas.join(' and ')} agree)`;
}
