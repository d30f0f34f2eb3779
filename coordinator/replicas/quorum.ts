// Which of several answers to one shard is right. Answers of healthy replicas are equal to the bit, so two that agree are.
import type { ShardResult } from './replica.ts';

/** What a replica answered: a result, or in words which value of it an exact sum cannot take. */
export type Answer = { readonly result: ShardResult } | { readonly bad: string };

export interface Vote<Voter> {
  readonly voter: Voter;
  readonly answer: Answer;
}

/** The answer that was given twice, and who gave another. */
export interface Verdict<Voter> {
  readonly answer: Answer;
  readonly dissenters: readonly Vote<Voter>[];
}

/** An answer in memory of its own: that of the replica is given back. */
export function keep(answer: Answer): Answer {
  if ('bad' in answer) return answer;
  const values = answer.result.values.slice();
  answer.result.release();
  return { result: { ...answer.result, values, release() {} } };
}

/** Whether two answers are equal to the bit; two bad ones are when they name the same value. */
function equal(a: Answer, b: Answer): boolean {
  if ('bad' in a || 'bad' in b) return 'bad' in a && 'bad' in b && a.bad === b.bad;
  return bytesOf(a.result.values).equals(bytesOf(b.result.values));
}

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

/**
 * The verdict as soon as two voters agree, else undefined. One that agrees with itself counts only where no other has voted: what is
 * wrong in it, as in its copy of the parameters, is wrong again.
 */
export function verdictOf<Voter>(votes: readonly Vote<Voter>[]): Verdict<Voter> | undefined {
  const alone = new Set(votes.map(({ voter }) => voter)).size === 1;
  for (const [i, { voter, answer }] of votes.entries()) {
    const agreed = votes.slice(i + 1).some((other) => (alone || other.voter !== voter) && equal(answer, other.answer));
    if (agreed) return { answer, dissenters: votes.filter((vote) => !equal(answer, vote.answer)) };
  }
  return undefined;
}

/** Whether a voter has given an answer twice: it would only do so again. */
export function insists<Voter>(votes: readonly Vote<Voter>[], voter: Voter | undefined): boolean {
  const own = votes.filter((vote) => vote.voter === voter);
  return own.some(({ answer }, i) => own.slice(i + 1).some((other) => equal(answer, other.answer)));
}
