import { expect, it } from 'vitest';
import { type RankRecord, RecordReader } from '../../../../coordinator/commands/rank-records.ts';

const ENDED: RankRecord = { kind: 'ended', rank: 1, exitCode: 75 };
const record = (value: unknown): string => `\u001e${JSON.stringify(value)}\n`;

/** @param size bytes that come at once */
function read(text: string, size: number): { text: string; records: RankRecord[] } {
  const records: RankRecord[] = [];
  const reader = new RecordReader((each) => records.push(each));
  const bytes = Buffer.from(text);
  let passed = '';
  for (let at = 0; at < bytes.length; at += size)
    passed += reader.push(bytes.subarray(at, at + size)).toString('latin1');
  return { text: Buffer.from(passed, 'latin1').toString(), records };
}

it.each([1, 2, 7, 1000])('takes records out of the text, %i bytes at once', (size) => {
  const begun = { kind: 'begun', run: '/läufe/a' };
  expect(read(`é\r1${record(ENDED)}b\n${record(begun)}`, size)).toEqual({ text: 'é\r1b\n', records: [ENDED, begun] });
});

it.each([
  'no JSON',
  JSON.stringify({ kind: 'other' }),
  JSON.stringify({ kind: 'ended', rank: -1, exitCode: 0 }),
  JSON.stringify({ kind: 'ended', rank: 0, exitCode: 1e9 }),
  JSON.stringify({ kind: 'begun', run: 'x'.repeat(5000) }),
])('leaves in the text what is no record: %.40s', (text) => {
  expect(read(`\u001e${text}\n${record(ENDED)}`, 5)).toEqual({ text: `${text}\n`, records: [ENDED] });
});

it('holds no more than a record may have', () => {
  const long = 'x'.repeat(20_000);
  expect(read(`\u001e${long}`, 4096).text).toHaveLength(20_000);
});
