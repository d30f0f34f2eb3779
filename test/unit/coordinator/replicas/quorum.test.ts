import { describe, expect, it } from 'vitest';
import { type Answer, keep, majorityOf, repeats } from '../../../../coordinator/replicas/quorum.ts';
import type { ShardResult } from '../../../../coordinator/replicas/replica.ts';

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
    const bits = new Int32Array(flipped.result.values.buffer);
    bits[1] = (bits[1] ?? 0) ^ 1;
    expect(verdict(result(1, 2), flipped)).toBeUndefined();
  });
});

describe('keep', () => {
  it('copies the values, which are written again', () => {
    const answer = result(1, 2);
    const kept = keep(answer);
    answer.result.values[0] = 9;
    expect('result' in kept && [...kept.result.values]).toEqual([1, 2]);
    expect(keep({ bad: 'x' })).toEqual({ bad: 'x' });
  });
});
