// coordinator/replicas/replica-group.ts: dispatch, slots, starts, stop, samples, another number of replicas. What happens when replicas fail:
// replica-group-faults.test.ts; late and doubtful shards: replica-group-checks.test.ts.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Shard, ShardResult } from '../../../../coordinator/replicas/replica.ts';
import { ReplicaGroup } from '../../../../coordinator/replicas/replica-group.ts';
import { Observed, StubStarter, settled, shardsOf, stubGroup } from './stub-replicas.ts';

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
    const accept = (_: Shard, { release }: ShardResult) => release();
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

describe('start and stop', () => {
  it('refuses replicas that compute with different things, and ends them', async () => {
    const starter = new StubStarter();
    starter.onStarted = () => {
      starter.computing = { backend: 'other' };
    };
    const group = new ReplicaGroup({ count: 3, start: starter.start, observer: new Observed(), maxRestarts: 9 });
    await expect(group.start()).rejects.toMatchObject({
      code: 'environment',
      message: 'replica 1 computes on other 1.2, expected stub 1.2, as the others',
    });
    expect(starter.started.map(({ stopped }) => stopped)).toEqual([true, true]);
  });

  it('starts as many as count says, one after another', async () => {
    const { starter, compute } = await stubGroup(4);
    expect(starter.started.map(({ id }) => id)).toEqual([0, 1, 2, 3]);
    expect(starter.mostAtOnce).toBe(1);
    const computed = compute(20);
    await starter.answerAll();
    await computed;
    expect(starter.attempts).toBe(4);
  });

  it('says what the replicas are', async () => {
    const counts = { restarts: 0, answered: 0, busySeconds: 0, shards: 0, shardSeconds: null };
    const { group } = await stubGroup(2);
    expect(group.status).toEqual([
      { id: 0, state: 'idle', kind: 'thread', pid: 0, threadId: 10, ...counts },
      { id: 1, state: 'idle', kind: 'thread', pid: 1, threadId: 11, ...counts },
    ]);
    expect(group.backend).toEqual({ backend: 'stub', libraryVersion: '1.2' });
    expect(group.restarts).toBe(0);
    await group.stop();
    expect(group.status).toEqual([
      { id: 0, state: 'stopped', kind: null, pid: null, threadId: null, ...counts },
      { id: 1, state: 'stopped', kind: null, pid: null, threadId: null, ...counts },
    ]);
    expect(group.backend).toEqual({ backend: 'none', libraryVersion: 'none' });
  });

  it('counts the shards that a replica did, and takes the median of its times', async () => {
    const clock = { ms: 0 };
    const { group, starter, compute } = await stubGroup(2, { now: () => clock.ms });
    const computed = compute(4);
    await settled();
    for (const ms of [10, 30]) {
      clock.ms = ms;
      starter.heads.find(({ replica }) => replica.id === 0)?.answer();
      await settled();
    }
    clock.ms = 100;
    await starter.answerAll();
    await computed;
    expect(group.status).toMatchObject([
      { id: 0, shards: 2, shardSeconds: 0.02 },
      { id: 1, shards: 2, shardSeconds: 0.1 },
    ]);
  });

  it('stops those that did start when one does not, without a second attempt', async () => {
    const starter = new StubStarter();
    starter.beforeStart = async (id) => {
      if (id === 2) throw new Error('no memory');
    };
    const observer = new Observed();
    const group = new ReplicaGroup({ count: 4, start: starter.start, observer, maxRestarts: 9 });
    await expect(group.start()).rejects.toThrow('no memory');
    expect(starter.started.map(({ id, stopped }) => [id, stopped])).toEqual([
      [0, true],
      [1, true],
    ]);
    expect(starter.attempts).toBe(3);
    expect(observer.faults).toEqual([]);
  });

  it('waits until every replica has ended', async () => {
    const { group, starter } = await stubGroup(2);
    let end = (): void => {};
    const [first] = starter.started;
    if (first) first.onStop = () => new Promise((resolve) => (end = resolve));
    let stopped = false;
    const stop = group.stop().then(() => (stopped = true));
    await settled();
    expect(starter.started.map((replica) => replica.stopped)).toEqual([false, true]);
    expect(stopped).toBe(false);
    end();
    await stop;
    expect(starter.started.map((replica) => replica.stopped)).toEqual([true, true]);
    await group.stop(); // again: nothing to do
  });

  it('reports no fault of a replica that is ended while it computes', async () => {
    const { group, observed, compute } = await stubGroup(2);
    void compute(4);
    await group.stop();
    await settled();
    expect(observed.faults).toEqual([]);
    expect(group.restarts).toBe(0);
  });
});

describe('resize', () => {
  it('starts more replicas while others compute, and they take shards', async () => {
    const { group, starter, accepted, compute } = await stubGroup(1);
    const computed = compute(8);
    group.resize(3);
    expect(statesOf(group)).toEqual(['busy', 'starting', 'starting']);
    await expect.poll(() => statesOf(group)).toEqual(['busy', 'busy', 'busy']);
    expect(starter.pairs).toEqual([
      [0, 0],
      [0, 1],
      [0, 2],
      [1, 3],
      [1, 4],
      [1, 5],
      [2, 6],
      [2, 7],
    ]);
    expect(starter.mostAtOnce).toBe(1);
    await starter.answerAll();
    await computed;
    expect(accepted.toSorted()).toEqual(range(8));
    await group.stop();
    expect(starter.started.every(({ stopped }) => stopped)).toBe(true);
  });

  it('lets the replicas of the highest numbers finish what they are at, and gives them nothing new', async () => {
    const { group, starter, observed, accepted, compute } = await stubGroup(3);
    const computed = compute(9);
    group.resize(1);
    expect(statesOf(group)).toEqual(['busy', 'draining', 'draining']);
    const drained = starter.heads[1];
    drained?.answer();
    await settled();
    expect(starter.calls.filter(({ replica }) => replica.id === 1).length).toBe(2);
    await starter.answerAll();
    await computed;
    expect(accepted.toSorted()).toEqual(range(9));
    expect(statesOf(group)).toEqual(['idle']);
    expect(starter.started.map(({ stopped }) => stopped)).toEqual([false, true, true]);
    expect([group.restarts, observed.faults]).toEqual([0, []]);
  });

  it('fills the free numbers again', async () => {
    const { group, starter } = await stubGroup(3);
    group.resize(1);
    expect(statesOf(group)).toEqual(['idle']);
    group.resize(3);
    await expect.poll(() => statesOf(group)).toEqual(['idle', 'idle', 'idle']);
    expect(group.status.map(({ id }) => id)).toEqual([0, 1, 2]);
    expect(starter.started.map(({ id }) => id)).toEqual([0, 1, 2, 1, 2]);
    await group.stop();
  });

  it('ends a replica that is no longer wanted when it has started', async () => {
    const { group, starter } = await stubGroup(1);
    let begin = (): void => {};
    starter.beforeStart = () => new Promise((resolve) => (begin = resolve));
    group.resize(2);
    await expect.poll(() => starter.attempts).toBe(2);
    group.resize(1);
    begin();
    await expect.poll(() => starter.started.map(({ stopped }) => stopped)).toEqual([false, true]);
    expect(statesOf(group)).toEqual(['idle']);
    await group.stop();
  });

  it('to fewer while the first replicas start leaves none behind that is no longer wanted', async () => {
    const starter = new StubStarter();
    starter.beforeStart = async (id) => {
      if (id === 1) group.resize(1);
    };
    const group = new ReplicaGroup({ count: 3, start: starter.start, observer: new Observed(), maxRestarts: 9 });
    await group.start();
    await settled();
    expect(starter.started.map(({ id, stopped }) => [id, stopped])).toEqual([
      [0, false],
      [1, true],
    ]);
    expect(starter.attempts).toBe(2);
    expect(statesOf(group)).toEqual(['idle']);
    await group.stop();
  });

  it('gives the shards of a draining replica that fails to the others, and does not restart it', async () => {
    const { group, starter, observed, accepted, compute } = await stubGroup(2);
    const computed = compute(4);
    group.resize(1);
    starter.heads[1]?.fail(new Error('lost'));
    await settled();
    await starter.answerAll();
    await computed;
    expect(accepted.toSorted()).toEqual(range(4));
    expect(observed.faults.length).toBe(1);
    expect([statesOf(group), group.restarts]).toEqual([['idle'], 0]);
  });
});

const JOB = { seed: 1, count: 3, statistics: 'batch' } as const;

describe('sample', () => {
  it('draws on one replica, before the shards that wait', async () => {
    const { group, starter, compute } = await stubGroup(1);
    const computed = compute(4);
    let draw = (): void => {};
    const [replica] = starter.started;
    if (replica) {
      replica.onSample = ({ count }) => new Promise((resolve) => (draw = () => resolve(new Float32Array(count))));
    }
    const drawn = group.sample(JOB);
    expect(replica?.samples).toEqual([]); // it has three shards in hand
    starter.next().answer();
    await settled();
    expect(replica?.samples).toEqual([JOB]);
    expect(starter.pairs).toEqual([
      [0, 1],
      [0, 2],
      [0, 3],
    ]);
    for (const _ of range(2)) {
      starter.next().answer();
      await settled();
    }
    draw();
    expect(await drawn).toEqual(new Float32Array(3));
    await starter.answerAll();
    await computed;
  });

  it('takes the images when they overtake the shards before them', async () => {
    const { group, starter, compute } = await stubGroup(1);
    const computed = compute(2);
    expect(await group.sample(JOB)).toEqual(new Float32Array(3));
    expect(starter.pairs).toEqual([
      [0, 0],
      [0, 1],
    ]);
    await starter.answerAll();
    await computed;
  });

  it('goes on with another replica, and the failed one is restarted', async () => {
    const { group, starter, observed } = await stubGroup(2);
    const [first, second] = starter.started;
    if (first) first.onSample = () => Promise.reject(new Error('lost'));
    expect(await group.sample(JOB)).toEqual(new Float32Array(3));
    expect(observed.faults.map(({ message }) => message)).toEqual(['replica 0 failed: lost']);
    expect(group.restarts).toBe(1);
    expect(second?.samples).toEqual([JOB]);
    await group.stop();
  });

  it('goes on with the restarted replica when it is the only one', async () => {
    const { group, starter, observed } = await stubGroup(1);
    for (const replica of starter.started) replica.onSample = () => Promise.reject(new Error('lost'));
    expect(await group.sample(JOB)).toEqual(new Float32Array(3));
    expect(observed.faults.length).toBe(1);
    expect(starter.started[1]?.samples).toEqual([JOB]);
  });

  it('says that no replica is left after the end, also when it was waiting for one', async () => {
    const { group, compute } = await stubGroup(1);
    void compute(3);
    const waiting = expect(group.sample(JOB)).rejects.toThrow('no replica is left to draw samples');
    await group.stop();
    await waiting;
    const message = 'no replica is left to draw samples';
    await expect(group.sample(JOB)).rejects.toMatchObject({ code: 'replica', message });
  });

  it('is not left waiting by the end of the replica that draws', async () => {
    const { group, starter } = await stubGroup(1);
    const [replica] = starter.started;
    let fail = (): void => {};
    if (replica) {
      replica.onSample = () => new Promise((_, reject) => (fail = () => reject(new Error('it has ended'))));
      replica.onStop = async () => fail();
    }
    const drawing = expect(group.sample(JOB)).rejects.toThrow('it has ended');
    await group.stop();
    await drawing;
  });
});
