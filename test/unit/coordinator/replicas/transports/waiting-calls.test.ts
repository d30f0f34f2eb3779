// The keeper of waiting calls: order, deadlines, loss of the replica, release of what calls hold.
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { WaitingCalls } from '../../../../../coordinator/replicas/transports/waiting-calls.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function create() {
  const calls = new WaitingCalls<number, string>(3);
  const released: string[] = [];
  const ended: string[] = [];
  const note = (what: string, promise: Promise<unknown>) => {
    promise.then(
      (result) => ended.push(`${what}: ${result}`),
      (error: unknown) => ended.push(`${what}: ${(error as Error).message}`),
    );
    return promise;
  };
  const keep = (what: string, limitMs?: number) =>
    note(
      what,
      calls.keep({
        limit: limitMs === undefined ? undefined : { ms: limitMs, what },
        expected: `expects ${what}`,
        read: (answer) => {
          if (answer < 0) throw new RangeError('below 0');
          return 10 * answer;
        },
        release: () => released.push(what),
      }),
    );
  const settle = () => vi.advanceTimersByTimeAsync(0);
  return { calls, released, ended, keep, note, settle };
}

it('gives answers to the calls in their order, and tells what the next one must be', async () => {
  const { calls, released, ended, keep, settle } = create();
  expect(calls.next).toBeUndefined();
  keep('a');
  keep('b');
  expect(calls.next).toBe('expects a');
  calls.answer(1);
  expect(calls.next).toBe('expects b');
  calls.answer(2);
  calls.answer(3); // to nobody
  await settle();
  expect([ended, released]).toEqual([['a: 10', 'b: 20'], []]);
});

it('releases what a call holds when its answer is an error', async () => {
  const { calls, released, ended, keep, settle } = create();
  keep('a');
  keep('b');
  calls.answer(-1);
  calls.answer(1);
  await settle();
  expect([ended, released]).toEqual([['a: below 0', 'b: 10'], ['a']]);
});

it('rejects a call at its deadline, and keeps its place in the order', async () => {
  const { calls, released, ended, keep } = create();
  const late = keep('a', 100);
  keep('b', 500);
  late.catch(() => {});
  await vi.advanceTimersByTimeAsync(101);
  expect([ended, released]).toEqual([['a: replica 3 gave no answer to a in 100 ms'], ['a']]);
  await expect(late).rejects.toMatchObject({ code: 'replica', reason: 'deadline', place: { replica: 3 } });
  calls.answer(1); // to a, too late
  calls.answer(2);
  await vi.advanceTimersByTimeAsync(1_000);
  expect([ended.slice(1), released]).toEqual([['b: 20'], ['a']]);
});

it('rejects all calls of a lost replica: first the one it was computing, then the rest, then those that come as promises', async () => {
  const { calls, released, ended, keep, note, settle } = create();
  note(
    'other',
    calls.call(() => new Promise(() => {}), { ms: 1e6, what: 'other' }),
  );
  for (const what of ['a', 'b', 'c']) keep(what);
  const lost = calls.lose('exit', 'ended with exit code 1', undefined, 1);
  expect(calls.lose('error', 'failed, too')).toBe(lost); // what is told first
  expect(calls.lost).toBe(lost);
  await settle();
  const message = 'replica 3 ended with exit code 1';
  expect(ended).toEqual(['b', 'a', 'c', 'other'].map((what) => `${what}: ${message}`));
  keep('d');
  note(
    'asked',
    calls.call(async () => expect.unreachable(), { ms: 1e6, what: 'asked' }),
  );
  await settle();
  expect(ended.slice(4).toSorted()).toEqual([`asked: ${message}`, `d: ${message}`]);
  expect([released, calls.next]).toEqual([['b', 'a', 'c', 'd'], undefined]);
});

it('ends a call that comes as a promise with that, or at its deadline', async () => {
  const { calls, ended, note } = create();
  note(
    'a',
    calls.call(async () => 7, { ms: 100, what: 'a' }),
  );
  note(
    'b',
    calls.call(() => Promise.reject(new Error('refused')), { ms: 100, what: 'b' }),
  );
  note(
    'c',
    calls.call(() => new Promise(() => {}), { ms: 100, what: 'c' }),
  );
  await vi.advanceTimersByTimeAsync(200);
  expect(ended).toEqual(['a: 7', 'b: refused', 'c: replica 3 gave no answer to c in 100 ms']);
});
