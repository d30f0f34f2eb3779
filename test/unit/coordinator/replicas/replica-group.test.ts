// coordinator/replicas/replica-group.ts: who is given which shard, and which results are accepted. Where replicas fail:
// replica-group-faults.test.ts and replica-group-giving-up.test.ts; stragglers and doubtful answers: replica-group-stragglers.test.ts and
// replica-group-checks.test.ts.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Shard, TakenResult } from '../../../../coordinator/replicas/replica.ts';
import type { ReplicaGroup } from '../../../../coordinator/replicas/replica-group.ts';
import { Observed, settled, shardsOf, stubGroup } from './stub-replicas.ts';

const statesOf = (group: ReplicaGroup) => group.status.map(({ state }) => state);
const range = (count: number) => Array.from({ length: count }, (_, i) => i);

describe('compute', () => {
  it('accepts every shard once with its own result, whatever the order of answers', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 0, max: 12 }),
        fc.array(fc.nat(), { minLength: 12, maxLength: 12 }),
        async (count, shards, choices) => {
          const { group, starter, observed, accepted, compute } = await stubGroup(count);
          const computed = compute(shards);
          for (const choice of choices) {
            const { heads } = starter;
            heads[choice % Math.max(1, heads.length)]?.answer();
            if (choice % 3 > 0) await settled(); // else two answers come at once
          }
          await starter.answerAll();
          expect(await computed).toEqual([]);
          expect(accepted.toSorted((a, b) => a - b)).toEqual(range(shards));
          expect(observed.faults).toEqual([]);
          await group.stop();
        },
      ),
    );
  });

  it('tells which replica computed which shard, before the shard is accepted', async () => {
    const told: [replica: number, shard: number, accepted: number][] = [];
    const observer = Object.assign(new Observed(), {
      computed: (replica: number, { shard }: Shard) => told.push([replica, shard, accepted.length]),
    });
    const { group, starter, accepted, compute } = await stubGroup(2, { observer, now: () => 0 });
    const computed = compute(3);
    await starter.answerAll();
    await computed;
    expect(told).toEqual([
      [0, 0, 0],
      [1, 1, 1],
      [0, 2, 2],
    ]);
    await group.stop();
  });

  it("gives a replica the generator passes of the shards whose fake images it drew, the newest first, and takes others' when idle", async () => {
    const { group, starter } = await stubGroup(2, { now: () => 0 });
    const shards = (pass: Shard['pass'], step: number) => range(4).map((shard) => ({ step, pass, shard }));
    const accept = (_: Shard, { release }: TakenResult) => release();
    const fake = group.compute(shards('fake', 3), accept);
    const of = (replica: number) => starter.calls.filter((call) => call.replica.id === replica);
    of(1)[0]?.answer(); // replica 1 has drawn shard 1 and draws 3
    await settled();
    await starter.answerAll();
    await fake;
    const generator = group.compute(shards('generator', 3), accept);
    expect(of(0).map(({ shard }) => shard.shard)).toEqual([2, 0]);
    expect(of(1).map(({ shard }) => shard.shard)).toEqual([3, 1]);
    await starter.answerAll();
    await generator;
    const next = group.compute(shards('generator', 4), accept); // of another step: any will do
    expect([of(0), of(1)].map((calls) => calls.map(({ shard }) => shard.shard))).toEqual([
      [0, 2],
      [1, 3],
    ]);
    await starter.answerAll();
    await next;
    await group.stop();
  });

  it('gives every replica one shard before any a second, and never a fourth of one call', async () => {
    const { group, starter, compute } = await stubGroup(3, { now: () => 0 });
    expect(statesOf(group)).toEqual(['idle', 'idle', 'idle']);
    const first = compute(2);
    expect(starter.pairs).toEqual([
      [0, 0],
      [1, 1],
    ]);
    expect(statesOf(group)).toEqual(['busy', 'busy', 'idle']);
    const second = compute(6);
    expect(starter.pairs.slice(2)).toEqual([
      [2, 0],
      [0, 1],
      [1, 2],
      [2, 3],
      [0, 4],
      [1, 5],
    ]);
    const third = compute(9);
    expect(starter.pairs.slice(8).map(([replica]) => replica)).toEqual([2, 0, 1, 2, 0, 1, 2]); // five in hand
    starter.heads[1]?.answer();
    await settled();
    expect(starter.pairs.slice(-1)).toEqual([[1, 7]]);
    await starter.answerAll();
    await Promise.all([first, second, third]);
    expect(statesOf(group)).toEqual(['idle', 'idle', 'idle']);
  });

  it('accepts a result before it hands out the next shard', async () => {
    const { group, starter } = await stubGroup(1);
    const events: string[] = [];
    const computed = group.compute(shardsOf(5), ({ shard }) => {
      events.push(`accept ${shard} beside ${starter.calls.map((call) => call.shard.shard)}`);
    });
    await starter.answerAll();
    await computed;
    expect(events).toEqual([
      'accept 0 beside 1,2',
      'accept 1 beside 2,3',
      'accept 2 beside 3,4',
      'accept 3 beside 4',
      'accept 4 beside ',
    ]);
  });

  it('passes a shard on as it is, and ends at once without any', async () => {
    const { group, starter } = await stubGroup(1);
    const job: Shard = { step: 9, pass: 'real', shard: 2, images: Uint32Array.of(1) };
    const computed = group.compute([job], (shard) => expect(shard).toBe(job));
    expect(starter.next().shard).toBe(job);
    starter.next().answer();
    await computed;
    await group.compute([], () => expect.unreachable());
  });

  it('computes the shards of an earlier call first, and ends each call with its own shards', async () => {
    const { starter, compute } = await stubGroup(1);
    const ended: string[] = [];
    const calls = [compute(3, 6), compute(2, 7)];
    void calls[0]?.then(() => ended.push('first'));
    void calls[1]?.then(() => ended.push('second'));
    const order: string[] = [];
    while (starter.calls.length > 0) {
      const { shard } = starter.next();
      order.push(`${shard.step}.${shard.shard}`);
      starter.next().answer();
      await settled();
      if (order.length === 3) expect(ended).toEqual(['first']);
    }
    expect(order).toEqual(['6.0', '6.1', '6.2', '7.0', '7.1']);
    expect(ended).toEqual(['first', 'second']);
  });

  it('rejects when a result cannot be accepted', async () => {
    const { group, starter } = await stubGroup(1);
    const computed = group.compute(shardsOf(1), () => {
      throw new RangeError('wrong length');
    });
    const rejected = expect(computed).rejects.toThrow('wrong length');
    starter.next().answer();
    await rejected;
  });
});

describe('who is given a shard', () => {
  /** Two replicas of which it is known that a pass over real images takes 1 ms, one over fake ones 2, the generator's 4. */
  async function timed() {
    let clock = 0;
    const group = await stubGroup(2, { now: () => clock });
    const { starter } = group;
    const compute = (pass: Shard['pass'], shards: number) =>
      group.group.compute(
        range(shards).map((shard) => ({ step: 1, pass, shard })),
        (_, { release }) => release(),
      );
    const pass = (ms: number): void => {
      clock += ms;
    };
    for (const [which, ms] of [['real', 1] as const, ['fake', 2] as const, ['generator', 4] as const]) {
      const computed = compute(which, 1);
      pass(ms);
      starter.next().answer();
      await computed;
    }
    const given = () => starter.calls.map(({ replica, shard }) => `${replica.id} ${shard.pass} ${shard.shard}`);
    const end = async (...computed: Promise<unknown>[]) => {
      await starter.answerAll();
      await Promise.all(computed);
      await group.group.stop();
    };
    return { starter, compute, pass, given, end };
  }

  it('is who seems to be free first', async () => {
    const { compute, pass, given, end } = await timed();
    const computed = [compute('generator', 1), compute('fake', 3)];
    expect(given()).toEqual(['0 generator 0', '1 fake 0', '1 fake 1', '0 fake 2']);
    pass(3);
    computed.push(compute('real', 1)); // 3 ms and 1 ms are left
    expect(given().slice(4)).toEqual(['1 real 0']);
    await end(...computed);
  });

  it('is not who is overdue, the longer the less', async () => {
    const { compute, pass, given, end } = await timed();
    const computed = [compute('fake', 1)];
    pass(5); // 3 ms overdue
    computed.push(compute('fake', 3));
    expect(given()).toEqual(['0 fake 0', '1 fake 0', '1 fake 1', '0 fake 2']);
    await end(...computed);
  });

  it('is, of real images, who answers what it has, and of fake ones after that who has less to do', async () => {
    const { starter, compute, given, end } = await timed();
    const computed = [compute('generator', 4), compute('real', 4)];
    expect(given().slice(4)).toEqual(['0 real 0', '1 real 1']);
    for (let i = 0; i < 2; i++) {
      starter.heads[1]?.answer();
      await settled();
    }
    expect(given().slice(2)).toEqual(['0 real 0', '1 real 1', '1 real 2', '1 real 3']);
    computed.push(compute('fake', 4)); // 9 ms and 3 ms are left, and three in hand
    expect(given().slice(6)).toEqual(['1 fake 0', '1 fake 1', '0 fake 2', '0 fake 3']);
    await end(...computed);
  });
});
