// Every shard is accepted exactly once, under any interleaving of answers, wrong answers, losses, late answers, resizes, and pages that come,
// lie and leave.

import fc from 'fast-check';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { toHost } from '../../../../coordinator/replicas/replica.ts';
import { GanglionError } from '../../../../shared/error.ts';
import { type Call, StubReplica, settled, shardsOf, stubGroup } from './stub-replicas.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

type Event =
  | { readonly kind: 'answer' | 'wrong' | 'bad' | 'lose'; readonly which: number }
  | { readonly kind: 'resize'; readonly count: number }
  | { readonly kind: 'pass'; readonly ms: number }
  | { readonly kind: 'join' }
  | { readonly kind: 'call'; readonly shards: number };

const which = fc.nat(9);
const answers = fc.record({ kind: fc.constant('answer' as const), which });
const events = fc.array(
  fc.oneof(
    answers,
    answers,
    fc.record({ kind: fc.constantFrom('wrong' as const, 'bad' as const, 'lose' as const), which }),
    fc.record({ kind: fc.constant('resize' as const), count: fc.integer({ min: 1, max: 4 }) }),
    fc.record({ kind: fc.constant('pass' as const), ms: fc.constantFrom(20, 100, 1_000) }),
    fc.record({ kind: fc.constant('join' as const) }),
    fc.record({ kind: fc.constant('call' as const), shards: fc.integer({ min: 1, max: 5 }) }),
  ),
  { maxLength: 40 },
);

it.each([
  [0, 1],
  [1, 1],
  [0, 0.5],
  [0, 0],
])('with an audit of %d, and of %d of pages', async (audit, pageAudit) => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 4 }), events, async (count, happening) => {
      const { group, starter } = await stubGroup(count, { audit, pageAudit });
      const calls: Promise<unknown>[] = [];
      const accepted = new Map<string, number>();
      const values: number[] = [];
      let shards = 0;
      /** Only a shard whose first answer is right, or is audited, is sure to be right: the others are not answered wrongly here. */
      const struck = new Set<string>();
      const nameOf = ({ shard: { step, shard } }: Call): string => `${step}.${shard}`;
      const begin = (size: number): void => {
        shards += size;
        const computed = group.compute(shardsOf(size, calls.length), ({ step, shard }, result) => {
          const name = `${step}.${shard}`;
          accepted.set(name, (accepted.get(name) ?? 0) + 1);
          if (toHost(result.values)[0] !== shard) values.push(shard);
          result.release();
        });
        computed.catch(() => {});
        calls.push(computed);
      };
      let pages = 0;
      /** A page may do anything at any time where all that it gives is compared; else it gives no wrong result. */
      const strikePage = (kind: Event['kind'], call: Call): void => {
        if (kind === 'lose') call.fail(new GanglionError('replica', 'it has left', { reason: 'exit' }));
        else if (kind === 'bad') call.fail(new GanglionError('range', 'x is NaN', { reason: 'range' }));
        else call.answer(kind === 'wrong' && pageAudit === 1 ? 1_000 : undefined);
      };
      const strike = (event: Event): void => {
        if (event.kind === 'join') group.join(new StubReplica(1_000 + pages++, 0, starter.calls, starter));
        else if (event.kind === 'resize') group.resize(event.count);
        else if (event.kind === 'call') begin(event.shards);
        else if (event.kind !== 'pass') {
          const { heads } = starter;
          const call = heads[event.which % Math.max(1, heads.length)];
          if (!call) return;
          if (call.replica.id >= 1_000) {
            strikePage(event.kind, call);
            return;
          }
          const isFirst = !struck.has(nameOf(call));
          if (event.kind === 'answer' || !isFirst) {
            call.answer();
            return;
          }
          struck.add(nameOf(call));
          if (event.kind === 'lose') call.fail(new GanglionError('replica', 'it ended', { reason: 'exit' }));
          else if (event.kind === 'bad') call.fail(new GanglionError('range', 'x is NaN', { reason: 'range' }));
          else call.answer(audit === 1 ? 1_000 + event.which : undefined);
        }
      };
      begin(3);
      for (const event of happening) {
        strike(event);
        if (event.kind === 'pass') await vi.advanceTimersByTimeAsync(event.ms);
        await settled();
      }
      let over = false;
      void Promise.all(calls).then(() => (over = true));
      for (let i = 0; i < 300 && !over; i++) {
        for (const call of [...starter.heads]) call.answer();
        await settled();
        if (starter.calls.length === 0) await vi.advanceTimersByTimeAsync(200);
      }
      expect(over).toBe(true);
      expect(await Promise.all(calls)).toEqual(calls.map(() => [])); // no shard is bad
      expect([...accepted.values()].filter((times) => times !== 1)).toEqual([]);
      expect([accepted.size, values]).toEqual([shards, []]);
      await group.stop();
    }),
    { numRuns: 150 },
  );
});
