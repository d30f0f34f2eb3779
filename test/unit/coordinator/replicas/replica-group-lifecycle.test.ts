import { describe, expect, it } from 'vitest';
import { ReplicaGroup } from '../../../../coordinator/replicas/replica-group.ts';
import { Observed, StubStarter, settled, stubGroup } from './stub-replicas.ts';

const statesOf = (group: ReplicaGroup) => group.status.map(({ state }) => state);
const range = (count: number) => Array.from({ length: count }, (_, i) => i);

describe('start and stop', () => {
  it('refuses replicas that compute with different things, and ends them', async () => {
    const starter = new StubStarter();
    starter.onStarted = () => {
      starter.computing = { engine: 'other' };
    };
    const group = new ReplicaGroup({
      count: 3,
      start: starter.start,
      observer: new Observed(),
      maxRestarts: 9,
      maxShardLosses: 4,
    });
    await expect(group.start()).rejects.toMatchObject({
      code: 'environment',
      message: 'replica 1 computes on other 1.2, expected stub 1.2, as the others',
    });
    expect(starter.started.map(({ stopped }) => stopped)).toEqual([true, true]);
  });

  it('goes on counting the restarts of replicas whose places its own take', async () => {
    const observer = new Observed();
    const restarts = new Map([[1, 3]]);
    const { start } = new StubStarter();
    const group = new ReplicaGroup({ count: 3, start, restarts, observer, maxRestarts: 9, maxShardLosses: 4 });
    await group.start();
    expect(group.status.map((replica) => replica.restarts)).toEqual([0, 3, 0]);
    expect(group.restarts).toBe(0);
    await group.stop();
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
    expect(group.computing).toEqual({ engine: 'stub', libraryVersion: '1.2' });
    expect(group.restarts).toBe(0);
    await group.stop();
    expect(group.status).toEqual([
      { id: 0, state: 'stopped', kind: null, pid: null, threadId: null, ...counts },
      { id: 1, state: 'stopped', kind: null, pid: null, threadId: null, ...counts },
    ]);
    expect(group.computing).toEqual({ engine: 'none', libraryVersion: 'none' });
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
    const group = new ReplicaGroup({ count: 4, start: starter.start, observer, maxRestarts: 9, maxShardLosses: 4 });
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
    const group = new ReplicaGroup({
      count: 3,
      start: starter.start,
      observer: new Observed(),
      maxRestarts: 9,
      maxShardLosses: 4,
    });
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
