// coordinator/replica-group.ts: dispatch, slots, starts, stop, samples. Failures of shards: replica-group-faults.test.ts.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Shard } from '../../../coordinator/replica.ts';
import { ReplicaGroup } from '../../../coordinator/replica-group.ts';
import { StubStarter, settled, shardsOf } from './stub-replicas.ts';

async function groupOf(count: number) {
  const starter = new StubStarter();
  const faults: string[] = [];
  const group = new ReplicaGroup({ count, start: starter.start, onFault: ({ message }) => faults.push(message) });
  await group.start();
  return { group, starter, faults };
}

const statesOf = (group: ReplicaGroup) => group.status.map(({ state }) => state);

describe('compute', () => {
  it('accepts every shard once with its own result, whatever the order of answers', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 0, max: 12 }),
        fc.array(fc.nat(), { minLength: 12, maxLength: 12 }),
        async (count, shards, choices) => {
          const { group, starter, faults } = await groupOf(count);
          const accepted: number[] = [];
          // The value is read when the shard is accepted: a slot written again by then holds NaN or another number.
          const computed = group.compute(shardsOf(shards), ({ shard }, { values }) => {
            expect(values[0]).toBe(shard);
            accepted.push(shard);
          });
          for (const choice of choices) {
            starter.calls[choice % Math.max(1, starter.calls.length)]?.answer();
            if (choice % 3 > 0) await settled(); // else two answers come at once
          }
          await starter.answerAll();
          await computed;
          expect(accepted.toSorted((a, b) => a - b)).toEqual(Array.from({ length: shards }, (_, i) => i));
          expect(faults).toEqual([]);
          await group.stop();
        },
      ),
    );
  });

  it('keeps every replica busy, and gives each one shard at a time', async () => {
    const { group, starter } = await groupOf(3);
    expect(statesOf(group)).toEqual(['idle', 'idle', 'idle']);
    const computed = group.compute(shardsOf(4), () => {});
    expect(starter.calls.map(({ replica, shard }) => [replica.id, shard.shard])).toEqual([
      [0, 0],
      [1, 1],
      [2, 2],
    ]);
    expect(statesOf(group)).toEqual(['busy', 'busy', 'busy']);
    starter.calls[1]?.answer();
    await settled();
    expect(starter.calls.map(({ replica, shard }) => [replica.id, shard.shard])).toEqual([
      [0, 0],
      [2, 2],
      [1, 3],
    ]);
    await starter.answerAll();
    await computed;
    expect(statesOf(group)).toEqual(['idle', 'idle', 'idle']);
  });

  it('hands out the next shard before it reads a result, and reads it before the one after that', async () => {
    const { group, starter } = await groupOf(1);
    const events: string[] = [];
    const computed = group.compute(shardsOf(3), ({ shard }) => {
      events.push(`accept ${shard} while computing ${starter.calls.map((call) => call.shard.shard)}`);
    });
    await starter.answerAll();
    await computed;
    expect(events).toEqual(['accept 0 while computing 1', 'accept 1 while computing 2', 'accept 2 while computing ']);
  });

  it('passes a shard on as it is, and ends at once without any', async () => {
    const { group, starter } = await groupOf(1);
    const job: Shard = { step: 9, phase: 'discriminator', shard: 2, pixels: Uint8Array.of(1) };
    const computed = group.compute([job], (shard) => expect(shard).toBe(job));
    expect(starter.next().shard).toBe(job);
    starter.next().answer();
    await computed;
    await group.compute([], () => expect.unreachable());
  });

  it('computes phase after phase, never two at once', async () => {
    const { group, starter } = await groupOf(2);
    const first = group.compute(shardsOf(2), () => {});
    await expect(group.compute(shardsOf(1), () => {})).rejects.toThrow('one phase at a time');
    await starter.answerAll();
    await first;
    const second = group.compute(shardsOf(2, 6), () => {});
    expect(starter.calls.map(({ shard }) => shard.step)).toEqual([6, 6]);
    await starter.answerAll();
    await second;
  });

  it('rejects when a result cannot be accepted', async () => {
    const { group, starter } = await groupOf(1);
    const computed = group.compute(shardsOf(1), () => {
      throw new RangeError('wrong length');
    });
    const rejected = expect(computed).rejects.toThrow('wrong length');
    starter.next().answer();
    await rejected;
  });
});

describe('start and stop', () => {
  it('starts as many as count says, one after another', async () => {
    const { group, starter } = await groupOf(4);
    expect(starter.started.map(({ id }) => id)).toEqual([0, 1, 2, 3]);
    expect(starter.mostAtOnce).toBe(1);
    const computed = group.compute(shardsOf(20), () => {});
    await starter.answerAll();
    await computed;
    expect(starter.attempts).toBe(4);
  });

  it('says what the replicas are', async () => {
    const { group } = await groupOf(2);
    expect(group.status).toEqual([
      { id: 0, state: 'idle', kind: 'thread', pid: 0, threadId: 10, restarts: 0 },
      { id: 1, state: 'idle', kind: 'thread', pid: 1, threadId: 11, restarts: 0 },
    ]);
    expect(group.backend).toEqual({ backend: 'stub', libraryVersion: '1.2' });
    expect(group.restarts).toBe(0);
    await group.stop();
    expect(group.status).toEqual([
      { id: 0, state: 'stopped', kind: null, pid: null, threadId: null, restarts: 0 },
      { id: 1, state: 'stopped', kind: null, pid: null, threadId: null, restarts: 0 },
    ]);
    expect(group.backend).toEqual({ backend: 'none', libraryVersion: 'none' });
  });

  it('stops those that did start when one does not, without a second attempt', async () => {
    const starter = new StubStarter();
    starter.beforeStart = async (id) => {
      if (id === 2) throw new Error('no memory');
    };
    const group = new ReplicaGroup({ count: 4, start: starter.start, onFault: () => expect.unreachable() });
    await expect(group.start()).rejects.toThrow('no memory');
    expect(starter.started.map(({ id, stopped }) => [id, stopped])).toEqual([
      [0, true],
      [1, true],
    ]);
    expect(starter.attempts).toBe(3);
  });

  it('waits until every replica has ended', async () => {
    const { group, starter } = await groupOf(2);
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
});

const JOB = { seed: 1, count: 3, statistics: 'batch' } as const;

describe('sample', () => {
  it('draws on one replica that is alive', async () => {
    const { group, starter } = await groupOf(2);
    expect(await group.sample(JOB)).toEqual(new Float32Array(3));
    expect(starter.started.map(({ samples }) => samples)).toEqual([[JOB], []]);
  });

  it('goes on with another replica, and the failed one is restarted', async () => {
    const { group, starter, faults } = await groupOf(2);
    const [first, second] = starter.started;
    if (first) first.onSample = () => Promise.reject(new Error('lost'));
    expect(await group.sample(JOB)).toEqual(new Float32Array(3));
    expect(faults).toEqual(['replica 0 failed: lost']);
    await settled();
    expect(group.restarts).toBe(1);
    expect((second?.samples.length ?? 0) + (starter.started[2]?.samples.length ?? 0)).toBe(1);
  });

  it('goes on with the restarted replica when it is the only one', async () => {
    const { group, starter, faults } = await groupOf(1);
    for (const replica of starter.started) replica.onSample = () => Promise.reject(new Error('lost'));
    expect(await group.sample(JOB)).toEqual(new Float32Array(3));
    expect(faults.length).toBe(1);
    expect(starter.started[1]?.samples).toEqual([JOB]);
  });

  it('gives up after three failures', async () => {
    const { group, starter, faults } = await groupOf(1);
    const fail = (): Promise<never> => Promise.reject(new Error('lost'));
    for (const replica of starter.started) replica.onSample = fail;
    starter.onStarted = (replica) => {
      replica.onSample = fail;
    };
    await expect(group.sample(JOB)).rejects.toThrow('replica 0 failed: lost');
    expect(faults.length).toBe(3);
    expect(starter.started.slice(0, 3).map(({ samples }) => samples.length)).toEqual([1, 1, 1]);
  });

  it('gives up on a replica that does not start again, and does not go on after that', async () => {
    const { group, starter } = await groupOf(2);
    for (const replica of starter.started) replica.onSample = () => Promise.reject(new Error('lost'));
    starter.beforeStart = () => Promise.reject(new Error('no memory'));
    await expect(group.sample(JOB)).rejects.toThrow('no memory');
    await expect(group.compute(shardsOf(1), () => {})).rejects.toThrow('no memory');
  });

  it('says that no replica is left after the end', async () => {
    const { group } = await groupOf(1);
    await group.stop();
    const message = 'no replica is left to draw samples';
    await expect(group.sample(JOB)).rejects.toMatchObject({ code: 'replica', message });
  });
});
