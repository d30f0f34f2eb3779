// What the coordinator makes of the outcome of a call, whichever transport has carried it.
import { GanglionError } from '../../../shared/error.ts';
import { show } from '../../../shared/printable.ts';
import { describeShard } from '../../../shared/protocol.ts';
import { type Failure, shardOutcomeOf } from '../../../shared/shard-outcome.ts';
import type { Shard, ShardResult } from '../replica.ts';
import type { ResultSlot } from './result-slots.ts';

/** The outcome of a call that succeeded. @throws GanglionError what went wrong in one that failed */
export function succeeded<Outcome extends { readonly ok: true } | Failure>(
  outcome: Outcome,
): Exclude<Outcome, Failure> {
  if (!outcome.ok) throw GanglionError.fromPlain(outcome.error);
  return outcome as Exclude<Outcome, Failure>;
}

/**
 * The result of a shard, in the slot that it was asked for.
 *
 * @throws GanglionError what the replica says is wrong with the shard; reason `frame` when this is no outcome of the shard
 */
export function toShardResult(replica: number, shard: Shard, slot: ResultSlot, outcome: unknown): ShardResult {
  const got = shardOutcomeOf(outcome);
  if (got) {
    if (!got.ok) throw GanglionError.fromPlain(got.error);
    const { step, pass, shard: number, seconds, tensors } = got;
    if (step === shard.step && pass === shard.pass && number === shard.shard) {
      return { values: slot.values, seconds, tensors, release: slot.release };
    }
  }
  const message = `replica ${replica} gave a malformed answer: expected one to ${describeShard(shard)}, got ${show(outcome)}`;
  throw new GanglionError('replica', message, { place: { replica }, reason: 'frame' });
}
