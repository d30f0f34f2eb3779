// Held to a hash of their bits, which V8's had on Node 20, 22 and 24 in November 2026, not to those of the V8 that runs this.
import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { cosineAndSine, exp, log, log1p } from '../../../shared/fdlibm.ts';
import { randomWords } from '../../../shared/random.ts';

const COUNT = 200_000;
const WORDS = randomWords({ seed: 4, stream: 'samples', time: 0, part: 0 }, COUNT);
/** Numbers from 0 to 1 and its ends, with many small ones. */
const UNIT = [
  ...[0, 2 ** -1074, 2 ** -60, 2 ** -54, 2 ** -29, 0.4142, 0.41421356, 1],
  ...[...WORDS].map((word, i) => (word * 2 ** -32) / (i % 5 === 0 ? 2 ** (i % 50) : 1)),
];

const cases: readonly [string, (x: number) => number, (x: number) => number, readonly number[], string][] = [
  ['log', log, Math.log, UNIT.filter((x) => x >= 2 ** -1022), '24ea1561b50c'],
  ['log1p', log1p, Math.log1p, UNIT, 'ca5fce29d019'],
  [
    'exp',
    exp,
    Math.exp,
    UNIT.flatMap((x) => [x * 2, x * -90, x * 1500 - 750, Math.fround(x * 20 - 10)]),
    'ad5c359dd270',
  ],
  ['cosine', (x) => cosineAndSine(x)[0], Math.cos, UNIT.map((x) => 2 * Math.PI * x), '8d68ccbb9695'],
  ['sine', (x) => cosineAndSine(x)[1], Math.sin, UNIT.map((x) => 2 * Math.PI * x), '3082f9cdd0b7'],
];

it.each(cases)(
  '%s has the bits that it has always had, and is near that of this machine',
  (_, own, theirs, inputs, expected) => {
    const got = Float64Array.from(inputs, own);
    const furthest = inputs.reduce((most, x, i) => {
      const other = theirs(x);
      const distance = Math.abs((got[i] ?? Number.NaN) - other);
      return Math.max(most, distance === 0 || got[i] === other ? 0 : distance / Math.max(Math.abs(other), 2 ** -1022));
    }, 0);
    expect(furthest).toBeLessThan(2 ** -51);
    expect(createHash('sha256').update(got).digest('hex').slice(0, 12)).toBe(expected);
  },
);

it('exp ends at infinity and at 0, and passes NaN on, as log1p does', () => {
  expect([Infinity, -Infinity, 710, -746, Number.NaN].map(exp)).toEqual([Infinity, 0, Infinity, 0, Number.NaN]);
  expect(log1p(Number.NaN)).toBeNaN();
});
