// Decides which answer to a shard counts. Healthy replicas give answers that are equal to the bit, so an answer that two replicas give is
// right, and a replica that gives another one is faulty.
import { isOnHost } from '../../shared/device-memory.ts';
import type { FaultReason } from '../../shared/error.ts';
import { type ShardResult, toHost } from './replica.ts';

/** What a replica answered: a result, or the name of the value that an exact sum cannot take. */
export type Answer = { readonly result: ShardResult } | { readonly bad: string };

export interface Vote<Voter> {
  readonly voter: Voter;
  readonly answer: Answer;
}

/** The votes on one shard. */
export interface Ballot<Voter> {
  /** Answers that had to be kept because one is not enough, in order. */
  readonly votes: Vote<Voter>[];
  /** Whether two replicas must agree also on a good result. */
  readonly audited: boolean;
  /** Whether an answer has been accepted. */
  readonly done: boolean;
}

/** A replica to be replaced, because its answer is wrong or may be. */
export interface Rejection<Voter> {
  readonly voter: Voter;
  readonly reason: FaultReason;
  readonly what: string;
}

/**
 * What follows from an answer. `accepted`: it settles the shard. `undecided`: another replica must answer, too. `hopeless`:
 * {@link MOST_VOTES} answers all differ. `late`: the shard was settled before.
 */
export type Ruling<Voter> =
  | {
      readonly kind: 'accepted';
      readonly answer: Answer;
      readonly supporters: readonly Voter[];
      readonly rejections: readonly Rejection<Voter>[];
    }
  | { readonly kind: 'late'; readonly rejections: readonly Rejection<Voter>[] }
  | { readonly kind: 'undecided' | 'hopeless' };

/** Answers to one shard that may differ before the run gives up. */
export const MOST_VOTES = 5;
/** Spreads audits evenly over shards: multiples of the golden ratio, modulo 1. */
const GOLDEN_RATIO = (Math.sqrt(5) - 1) / 2;

/**
 * Counts a vote. A good result that is not audited settles its shard without a copy; every other answer is copied, and its slot released.
 *
 * @param ballot gets the vote
 * @param isCallOpen whether shards of the same call are still being computed. A late answer is compared only then: after that, the
 *   parameters may have changed while it was computed
 */
export function castVote<Voter>(ballot: Ballot<Voter>, vote: Vote<Voter>, isCallOpen: boolean): Ruling<Voter> {
  const { votes, audited, done } = ballot;
  const { voter, answer } = vote;
  if (done) return { kind: 'late', rejections: isLateOutlier(votes, vote, isCallOpen) ? [rejectOutlier(vote)] : [] };
  if ('result' in answer && !audited && votes.length === 0) {
    return { kind: 'accepted', answer, supporters: [voter], rejections: [] };
  }
  votes.push({ voter, answer: keep(answer) });
  const majority = majorityOf(votes);
  if (!majority) return { kind: votes.length === MOST_VOTES ? 'hopeless' : 'undecided' };
  const { outliers } = majority;
  const supporters = votes.filter((each) => !outliers.includes(each)).map((each) => each.voter);
  return { kind: 'accepted', answer: majority.answer, supporters, rejections: outliers.map(rejectOutlier) };
}

/**
 * All voters of a shard that none of them can decide, as each only repeats its own answer. New replicas show which is right; all are
 * replaced, as the wrong one would compute other shards.
 */
export function rejectAll<Voter>(votes: readonly Vote<Voter>[]): Rejection<Voter>[] {
  const voters = [...new Set(votes.map(({ voter }) => voter))];
  return voters.map((voter) => ({ voter, reason: 'audit', what: 'it and others stay by answers that differ' }));
}

function rejectOutlier<Voter>({ voter, answer }: Vote<Voter>): Rejection<Voter> {
  if ('bad' in answer) return { voter, reason: 'range', what: `${answer.bad}, where others have none` };
  return { voter, reason: 'audit', what: 'its result has other bits than two others' };
}

/** Releases the late result. */
function isLateOutlier<Voter>(votes: readonly Vote<Voter>[], late: Vote<Voter>, isCallOpen: boolean): boolean {
  const { answer } = late;
  const isOutlier = (): boolean =>
    votes.length === 0 ? 'bad' in answer : (majorityOf([...votes, late])?.outliers.includes(late) ?? false);
  const result = isCallOpen && isOutlier();
  if ('result' in answer) answer.result.release();
  return result;
}

/** Copies an answer to memory of its own, and releases that of the replica. */
export function keep(answer: Answer): Answer {
  const kept = copyOf(answer);
  if ('result' in answer) answer.result.release();
  return kept;
}

/** A copy of an answer in memory of its own. */
export function copyOf(answer: Answer): Answer {
  if ('bad' in answer) return answer;
  const { values: given } = answer.result;
  const values = isOnHost(given) ? given.slice() : given.read();
  return { result: { ...answer.result, values, release() {} } };
}

/** Whether two answers are equal to the bit; two bad ones are when they name the same value. */
export function equal(a: Answer, b: Answer): boolean {
  if ('bad' in a || 'bad' in b) return 'bad' in a && 'bad' in b && a.bad === b.bad;
  return bytesOf(toHost(a.result.values)).equals(bytesOf(toHost(b.result.values)));
}

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

/**
 * The answer that two voters agree on, and the votes for others; undefined while no two agree. A voter that agrees with itself counts
 * only where no other has voted: a fault in it, as in its copy of the parameters, shows again.
 */
export function majorityOf<Voter>(
  votes: readonly Vote<Voter>[],
): { readonly answer: Answer; readonly outliers: readonly Vote<Voter>[] } | undefined {
  const alone = new Set(votes.map(({ voter }) => voter)).size === 1;
  for (const [i, { voter, answer }] of votes.entries()) {
    const agreed = votes.slice(i + 1).some((other) => (alone || other.voter !== voter) && equal(answer, other.answer));
    if (agreed) return { answer, outliers: votes.filter((vote) => !equal(answer, vote.answer)) };
  }
  return undefined;
}

/** Whether a voter has given the same answer twice: it would only give it again. */
export function repeats<Voter>(votes: readonly Vote<Voter>[], voter: Voter | undefined): boolean {
  const own = votes.filter((vote) => vote.voter === voter);
  return own.some(({ answer }, i) => own.slice(i + 1).some((other) => equal(answer, other.answer)));
}

/**
 * Chooses the shards that are computed twice.
 *
 * @param share of all shards, 0 to 1
 * @returns whether the next shard is audited; to be called once a shard
 */
export function createAuditor(share: number): () => boolean {
  let shards = 0;
  return () => share > 0 && (++shards * GOLDEN_RATIO) % 1 < share;
}
