import { describe, expect, it } from 'vitest';
import {
  type Answer,
  type Ballot,
  castVote,
  createAuditor,
  keep,
  majorityOf,
  rejectAll,
  repeats,
  type Vote,
} from '../../../../coordinator/replicas/quorum.ts';
import { type ShardResult, toHost } from '../../../../coordinator/replicas/replica.ts';

const result = (...values: number[]): { readonly result: ShardResult } => ({
  result: {
    values: Float32Array.from(values),
    seconds: { start: 0, prepare: 0, compute: 0, copy: 0 },
    tensors: 0,
    release() {},
  },
});
const votesOf = (...answers: Answer[]) => answers.map((answer, voter) => ({ voter, answer }));
const verdict = (...answers: Answer[]) => {
  const given = majorityOf(votesOf(...answers));
  return given && { at: answers.indexOf(given.answer), outliers: given.outliers.map(({ voter }) => voter) };
};

describe('majorityOf', () => {
  it('is undecided until two agree', () => {
    expect(verdict()).toBeUndefined();
    expect(verdict(result(1))).toBeUndefined();
    expect(verdict(result(1), result(2))).toBeUndefined();
    expect(verdict(result(1), { bad: 'x is NaN' }, { bad: 'x is Infinity' })).toBeUndefined();
  });

  it('is the answer given twice; who gave another dissents', () => {
    expect(verdict(result(1), result(1))).toEqual({ at: 0, outliers: [] });
    expect(verdict(result(1), result(2), result(2))).toEqual({ at: 1, outliers: [0] });
    expect(verdict(result(1), { bad: 'x' }, result(2), { bad: 'x' })).toEqual({ at: 1, outliers: [0, 2] });
  });

  it('does not believe one that agrees with itself against another, but where there is no other', () => {
    const votes = [result(1), result(2), result(1)].map((answer, i) => ({ voter: i % 2, answer }));
    expect(majorityOf(votes)).toBeUndefined();
    expect([0, 1].map((voter) => repeats(votes, voter))).toEqual([true, false]);
    expect(majorityOf(votes.filter(({ voter }) => voter === 0))?.answer).toBe(votes[0]?.answer);
  });

  it('compares every bit', () => {
    expect(verdict(result(1, 0), result(1, -0))).toBeUndefined();
    expect(verdict(result(1, 2), result(1))).toBeUndefined();
    const flipped = result(1, 2);
    const bits = new Int32Array(toHost(flipped.result.values).buffer);
    bits[1] = (bits[1] ?? 0) ^ 1;
    expect(verdict(result(1, 2), flipped)).toBeUndefined();
  });
});

describe('keep', () => {
  it('copies the values, which are written again', () => {
    const answer = result(1, 2);
    const kept = keep(answer);
    toHost(answer.result.values)[0] = 9;
    expect('result' in kept && [...toHost(kept.result.values)]).toEqual([1, 2]);
    expect(keep({ bad: 'x' })).toEqual({ bad: 'x' });
  });
});

describe('castVote', () => {
  const create = (audited = false) => {
    const ballot: Ballot<number> & { done: boolean } = { votes: [], audited, done: false };
    const cast = (voter: number, answer: Answer, isCallOpen = true) => castVote(ballot, { voter, answer }, isCallOpen);
    return { ballot, cast };
  };
  const bad = { bad: 'x is NaN' };

  it('accepts a good result at once, as it is', () => {
    const { ballot, cast } = create();
    const answer = result(1);
    expect(cast(3, answer)).toEqual({ kind: 'accepted', answer, supporters: [3], rejections: [] });
    expect(ballot.votes).toEqual([]);
  });

  it.each([true, false])('needs two that agree for an audit or a bad value (audited: %s)', (audited) => {
    const { cast } = create(audited);
    const answer = audited ? result(1) : bad;
    expect(cast(0, answer)).toEqual({ kind: 'undecided' });
    expect(cast(1, audited ? result(1) : bad)).toMatchObject({ kind: 'accepted', supporters: [0, 1], rejections: [] });
  });

  it('rejects whose result has other bits, and whose value is bad where others have none', () => {
    const { cast } = create(true);
    for (const [voter, answer] of [result(2), bad, result(1)].entries())
      expect(cast(voter, answer).kind).toBe('undecided');
    expect(cast(3, result(1))).toMatchObject({
      kind: 'accepted',
      supporters: [2, 3],
      rejections: [
        { voter: 0, reason: 'audit', what: 'its result has other bits than two others' },
        { voter: 1, reason: 'range', what: 'x is NaN, where others have none' },
      ],
    });
  });

  it('is hopeless after five that all differ', () => {
    const { cast } = create(true);
    const kinds = [0, 1, 2, 3, 4].map((value) => cast(value, result(value)).kind);
    expect(kinds).toEqual(['undecided', 'undecided', 'undecided', 'undecided', 'hopeless']);
  });

  it.each<[what: string, votes: Answer[], late: Answer, isCallOpen: boolean, rejected: string[]]>([
    ['equal to what was decided', [result(1), result(1)], result(1), true, []],
    ['different', [result(1), result(1)], result(2), true, ['audit']],
    ['bad', [result(1), result(1)], bad, true, ['range']],
    ['bad where nobody voted', [], bad, true, ['range']],
    ['good where nobody voted', [], result(2), true, []],
    ['different, after its call', [result(1), result(1)], result(2), false, []],
    ['bad, after its call', [], bad, false, []],
  ])('judges a late answer that is %s', (_, votes, late, isCallOpen, rejected) => {
    const { ballot, cast } = create(true);
    for (const [voter, answer] of votes.entries()) ballot.votes.push({ voter, answer });
    ballot.done = true;
    let released = 0;
    const answer = 'bad' in late ? late : { result: { ...late.result, release: () => released++ } };
    const ruling = cast(9, answer, isCallOpen);
    expect(ruling.kind).toBe('late');
    expect('rejections' in ruling && ruling.rejections.map(({ voter, reason }) => [voter, reason])).toEqual(
      rejected.map((reason) => [9, reason]),
    );
    expect(released).toBe('bad' in late ? 0 : 1);
    expect(ballot.votes.length).toBe(votes.length);
  });
});

it('rejects every voter once where none can decide', () => {
  const votes: Vote<number>[] = [0, 1, 0, 1].map((voter) => ({ voter, answer: result(voter) }));
  expect(rejectAll(votes).map(({ voter, reason }) => [voter, reason])).toEqual([
    [0, 'audit'],
    [1, 'audit'],
  ]);
});

it('audits the share that is asked for, evenly', () => {
  for (const share of [0, 0.1, 0.5, 1]) {
    const isAudited = createAuditor(share);
    const audited = Array.from({ length: 400 }, isAudited);
    expect(Math.abs(audited.filter(Boolean).length - 400 * share)).toBeLessThanOrEqual(2);
  }
});
