// coordinator/replica-group.ts where replicas fail: reports, restarts, the shard computed again, and giving up.
import { describe, expect, it } from 'vitest';
import { ReplicaGroup } from '../../../coordinator/replica-group.ts';
import { GanglionError } from '../../../shared/error.ts';
import { StubStarter, settled, shardsOf } from './stub-replicas.ts';

async function groupOf(count: number) {
  const starter = new StubStarter();
  const faults: GanglionError[] = [];
  const group = new ReplicaGroup({ count, start: starter.start, onFault: (fault) => faults.push(fault) });
  await group.start();
  const accepted: number[] = [];
  const compute = (shards: number) => {
    const computed = group.compute(shardsOf(shards), ({ shard }, { values }) => {
      expect(values[0]).toBe(shard);
      accepted.push(shard);
    });
    computed.catch(() => {}); // a test that expects a rejection waits for it later
    return computed;
  };
  return { group, starter, faults, accepted, compute };
}

/** An error as a replica gives it. */
function failure(replica: number, shard: number): GanglionError {
  const place = { replica, step: 5, phase: 'generator', shard };
  return new GanglionError('range', `shard ${shard} is NaN`, { place });
}

describe('a replica that fails', () => {
  it('is reported, ended and restarted, and its shard is computed again by another', async () => {
    const { group, starter, faults, accepted, compute } = await groupOf(2);
    const computed = compute(3); // 0 and 1 under way, 2 waits
    starter.next().fail(failure(0, 0));
    await settled();
    expect(faults).toMatchObject([
      { code: 'range', message: 'shard 0 is NaN', place: { replica: 0, step: 5, phase: 'generator', shard: 0 } },
    ]);
    expect(starter.started[0]?.stopped).toBe(true);
    starter.next().answer(); // replica 1, shard 1
    await settled();
    expect(starter.calls.map(({ replica, shard }) => [replica.id, shard.shard])).toContainEqual([1, 0]);
    await starter.answerAll();
    await computed;
    expect(accepted.toSorted()).toEqual([0, 1, 2]);
    expect(group.restarts).toBe(1);
    await group.stop();
  });

  it('is replaced by a new one with its number, which takes shards; the rest goes on meanwhile', async () => {
    const { group, starter, accepted, compute } = await groupOf(2);
    let begin = (): void => {};
    starter.beforeStart = () => new Promise((resolve) => (begin = resolve));
    const computed = compute(6);
    starter.next().fail(failure(0, 0));
    await settled();
    await settled();
    expect(group.status.map(({ state, restarts, pid }) => [state, restarts, pid])).toEqual([
      ['restarting', 1, null],
      ['busy', 0, 1],
    ]);
    starter.next().answer();
    await settled();
    expect(starter.calls.map(({ replica, shard }) => [replica.id, shard.shard])).toEqual([[1, 0]]); // before 2
    begin();
    await settled();
    expect(starter.calls.map(({ replica, shard }) => [replica.ready.pid, shard.shard])).toEqual([
      [1, 0],
      [100, 2], // the second replica number 0
    ]);
    await starter.answerAll();
    await computed;
    expect(accepted.toSorted()).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it('is waited for when it is the only one', async () => {
    const { group, starter, accepted, compute } = await groupOf(1);
    const computed = compute(2);
    starter.next().fail(failure(0, 0));
    await settled();
    await settled();
    await starter.answerAll();
    await computed;
    expect(accepted).toEqual([0, 1]);
    expect(starter.started.length).toBe(2);
    expect(group.status).toMatchObject([{ state: 'idle', restarts: 1, pid: 100 }]);
  });

  it.each([
    ['no GanglionError', new Error('out\nof memory'), 'replica', 'out of memory'],
    [
      'only the replica named, as when a thread ends',
      new GanglionError('replica', 'it ended with exit code 1', { place: { replica: 0 } }),
      'replica',
      'it ended with exit code 1',
    ],
    ['another code', new GanglionError('shape', 'input z'), 'shape', 'input z'],
  ] as const)('is reported with step, phase, shard and replica: %s', async (_, error, code, reason) => {
    const { starter, faults, compute } = await groupOf(1);
    const computed = compute(2);
    starter.next().answer();
    await settled();
    starter.next().fail(error);
    await settled();
    await settled();
    await starter.answerAll();
    await computed;
    expect(faults).toMatchObject([
      {
        code,
        message: `replica 0 failed on step 5, generator phase, shard 1: ${reason}`,
        place: { replica: 0, step: 5, phase: 'generator', shard: 1 },
        cause: error,
      },
    ]);
  });

  it('restarts one after another when all fail at once', async () => {
    const { group, starter, faults, accepted, compute } = await groupOf(3);
    const computed = compute(3);
    for (const call of [...starter.calls]) call.fail(failure(call.replica.id, call.shard.shard));
    for (let i = 0; i < 12; i++) await settled();
    await starter.answerAll();
    await computed;
    expect(starter.mostAtOnce).toBe(1);
    expect(faults.length).toBe(3);
    expect(group.restarts).toBe(3);
    expect(accepted.toSorted()).toEqual([0, 1, 2]);
    expect(starter.started.length).toBe(6);
  });
});

describe('giving up', () => {
  it('on a shard that fails three times, with its error', async () => {
    const { starter, faults, accepted, compute } = await groupOf(2);
    const computed = compute(2);
    starter.calls[1]?.answer();
    for (let i = 0; i < 3; i++) {
      const call = starter.calls.find(({ shard }) => shard.shard === 0);
      call?.fail(failure(call.replica.id, 0));
      await settled();
      await settled();
    }
    await expect(computed).rejects.toMatchObject({ code: 'range', message: 'shard 0 is NaN' });
    expect(faults.length).toBe(3);
    expect(accepted).toEqual([1]);
  });

  it('not on three failures of different shards', async () => {
    const { starter, faults, accepted, compute } = await groupOf(1);
    const computed = compute(4);
    for (const shard of [0, 1, 2]) {
      expect(starter.next().shard.shard).toBe(shard);
      starter.next().fail(failure(0, shard));
      await settled();
      await settled();
      starter.next().answer();
      await settled();
    }
    await starter.answerAll();
    await computed;
    expect(faults.length).toBe(3);
    expect(accepted).toEqual([0, 1, 2, 3]);
  });

  it('on a replica that does not start again at the third attempt', async () => {
    const { starter, compute } = await groupOf(1);
    starter.beforeStart = async (_, attempt) => {
      throw new GanglionError('environment', `attempt ${attempt}`);
    };
    const computed = compute(1);
    starter.next().fail(failure(0, 0));
    await expect(computed).rejects.toMatchObject({ code: 'environment', message: 'attempt 4' }); // the first was the start
    expect(starter.attempts).toBe(4);
  });

  it('in the next phase, when the third attempt fails between two', async () => {
    const { starter, compute } = await groupOf(2);
    let fail = (): void => {};
    starter.beforeStart = () => new Promise((_, reject) => (fail = () => reject(new Error('no memory'))));
    const computed = compute(2);
    starter.next().fail(failure(0, 0));
    await starter.answerAll(); // replica 1 does both
    await computed;
    for (let attempt = 1; attempt <= 3; attempt++) {
      fail();
      await settled();
      await settled();
    }
    const next = compute(1);
    await starter.answerAll();
    await expect(next).rejects.toThrow('no memory');
  });

  it('not on a replica that starts at the third attempt', async () => {
    const { starter, accepted, compute } = await groupOf(1);
    starter.beforeStart = async (_, attempt) => {
      if (attempt < 4) throw new Error('not yet');
    };
    const computed = compute(1);
    starter.next().fail(failure(0, 0));
    for (let i = 0; i < 6; i++) await settled();
    await starter.answerAll();
    await computed;
    expect(accepted).toEqual([0]);
    expect(starter.attempts).toBe(4);
  });

  it('stops after a restart under way, and starts nothing more', async () => {
    const { group, starter, compute } = await groupOf(2);
    let begin = (): void => {};
    starter.beforeStart = () => new Promise((resolve) => (begin = resolve));
    compute(2);
    for (const call of [...starter.calls]) call.fail(failure(call.replica.id, call.shard.shard));
    await settled();
    await settled();
    let stopped = false;
    const stop = group.stop().then(() => (stopped = true));
    await settled();
    expect(stopped).toBe(false);
    begin();
    await stop;
    expect(starter.attempts).toBe(3); // two at first, one of the two restarts
    expect(starter.started.every((replica) => replica.stopped)).toBe(true);
  });
});
