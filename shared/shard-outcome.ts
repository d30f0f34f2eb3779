// A check of shard outcomes that costs next to nothing. test/unit/shared/process-protocol.test.ts holds it to the schema of frames.
import type { ShardOutcome } from './protocol.ts';

type Fields = Partial<Record<string, unknown>>;

const isObject = (value: unknown): value is Fields => typeof value === 'object' && value !== null;
const isNumber = (value: unknown): value is number => typeof value === 'number';

/** Whether this is the outcome of a shard. Not by zod, which takes a hundred times as long: threads answer shards all the time. */
export function isShardOutcome(got: unknown): got is ShardOutcome {
  if (!isObject(got)) return false;
  if (got.ok === false) {
    const { error } = got;
    return (
      isObject(error) && typeof error.code === 'string' && typeof error.message === 'string' && isObject(error.place)
    );
  }
  const { ok, step, pass, shard, seconds, tensors } = got;
  if (ok !== true || !isNumber(step) || typeof pass !== 'string' || !isNumber(shard) || !isNumber(tensors))
    return false;
  if (!isObject(seconds)) return false;
  const { start, prepare, compute, copy, precompute } = seconds;
  if (!isNumber(start) || !isNumber(prepare) || !isNumber(compute) || !isNumber(copy)) return false;
  return (
    precompute === undefined || (isObject(precompute) && isNumber(precompute.start) && isNumber(precompute.seconds))
  );
}
