// The outcome of a shard as it arrives, from a thread or in a frame.
import { ERROR_CODES, FAULT_REASONS, type PlainError } from './error.ts';
import { type Check, kind, Misfit, number, object, oneOf, optional, tagged, text, whole } from './message-check.ts';
import type { Pass } from './model/layout.ts';
import type { PassSeconds, ShardOutcome } from './protocol.ts';

/** How a call ended that failed. */
export interface Failure {
  readonly ok: false;
  readonly error: PlainError;
}

export const passCheck = oneOf<Pass>(['real', 'fake', 'generator']);

export const errorCheck = object<PlainError>({
  code: oneOf(ERROR_CODES),
  message: text,
  place: object<PlainError['place']>({
    replica: optional(whole()),
    step: optional(whole()),
    pass: optional(text),
    shard: optional(whole()),
  }),
  reason: optional(oneOf(FAULT_REASONS)),
  stack: optional(text),
});

/** How a call ended: with what it gives, or with an error. */
export function outcomeOf<T extends { readonly ok: true }>(given: Check<T>): Check<T | Failure> {
  return tagged<T | Failure>('ok', [
    [true, given],
    [false, object<Failure>({ ok: kind(false), error: errorCheck })],
  ]);
}

/** @throws Misfit when a part is not what it must be */
export const shardOutcome: Check<ShardOutcome> = outcomeOf(
  object<Extract<ShardOutcome, { readonly ok: true }>>({
    ok: kind(true),
    step: whole(),
    pass: passCheck,
    shard: whole(),
    seconds: object<PassSeconds>({
      start: number,
      prepare: number,
      compute: number,
      copy: number,
      precompute: optional(object<NonNullable<PassSeconds['precompute']>>({ start: number, seconds: number })),
    }),
    tensors: whole(),
  }),
);

/** The outcome of a shard, or nothing when this is none. */
export function shardOutcomeOf(got: unknown): ShardOutcome | undefined {
  try {
    return shardOutcome(got);
  } catch (error) {
    if (error instanceof Misfit) return undefined;
    throw error;
  }
}
