// coordinator/replicas/replica-group.ts where no answer comes, and where the run gives up.
import { describe, expect, it, vi } from 'vitest';
import { GanglionError } from '../../../../shared/error.ts';
import { pass, useFakeTime } from './fake-time.ts';
import { settled, stubGroup } from './stub-replicas.ts';

useFakeTime();

const lost = () => new GanglionError('replica', 'it ended with exit code 1', { place: { replica: 0 }, reason: 'exit' });

describe('a replica that gives no answer', () => {
  it('is replaced while it is being ended, which may take long', async () => {
    const { starter, accepted, compute } = await stubGroup(1);
    const computed = compute(1);
    const [stuck] = starter.started;
    if (stuck) stuck.onStop = () => new Promise(() => {});
    await pass(121_000);
    expect(starter.started.length).toBe(2);
    starter.calls.find(({ replica }) => replica !== stuck)?.answer();
    await computed;
    expect(accepted).toEqual([0]);
  });

  it('is named once in its message', async () => {
    const { starter, observed, compute } = await stubGroup(1);
    void compute(1);
    const place = { replica: 0 };
    starter.next().fail(new GanglionError('replica', 'replica 0 ended with exit code 7', { place, reason: 'exit' }));
    await settled();
    const message = 'replica 0 failed on step 5, generator phase, shard 0: ended with exit code 7';
    expect(observed.faults.map((fault) => fault.message)).toEqual([message]);
  });

  it('is lost after 120 s when nothing is known of how long a shard takes', async () => {
    const { observed, compute } = await stubGroup(1);
    void compute(1);
    await pass(119_000);
    expect(observed.faults).toEqual([]);
    await pass(1100);
    expect(observed.faults).toMatchObject([{ reason: 'deadline', place: { replica: 0, shard: 0 } }]);
    expect(observed.faults[0]?.message).toMatch(
      /^replica 0 failed on step 5, generator phase, shard 0: .* no answer in 1200\d\d ms$/,
    );
  });

  it('is named by the shard that the replica is at, not by one that it has computed and not answered', async () => {
    const { starter, observed, compute } = await stubGroup(1);
    const computed = compute(3);
    const [replica] = starter.started;
    if (replica) replica.computed = 1;
    await pass(120_100);
    expect(observed.faults).toMatchObject([{ reason: 'deadline', place: { shard: 1 } }]);
    await pass(100);
    await starter.answerAll();
    await computed;
  });

  it.each([
    [100, 10_000],
    [1000, 50_000],
  ])('is lost after 50 times the usual %i ms, at least 10 s', async (usualMs, deadlineMs) => {
    const { starter, observed, accepted, compute } = await stubGroup(1);
    const computed = compute(3);
    for (let i = 0; i < 2; i++) {
      await vi.advanceTimersByTimeAsync(usualMs);
      starter.next().answer();
      await settled();
    }
    await pass(deadlineMs - 10);
    expect(observed.faults).toEqual([]);
    await pass(100);
    expect(observed.faults.map(({ reason }) => reason)).toEqual(['deadline']);
    await pass(100);
    await starter.answerAll();
    await computed;
    expect(accepted).toEqual([0, 1, 2]);
  });
});

it('the time for which the coordinator itself stood still, by Ctrl-Z or with its machine, makes no replica late', async () => {
  let stoodStillMs = 0;
  const { starter, observed, accepted, compute } = await stubGroup(2, { now: () => performance.now() + stoodStillMs });
  const computed = compute(4);
  for (let i = 0; i < 2; i++) {
    await pass(100);
    starter.next().answer();
    await settled();
  }
  await pass(20);
  stoodStillMs = 60_000;
  await pass(9_000);
  expect([observed.faults, observed.stragglers.length]).toEqual([[], 0]);
  await pass(2_000);
  expect(observed.faults.map(({ reason }) => reason)).toEqual(['deadline', 'deadline']);
  await pass(100);
  await starter.answerAll();
  await computed;
  expect(accepted.toSorted()).toEqual([0, 1, 2, 3]);
});

describe('giving up', () => {
  it('on a shard on which five replicas are lost, with the error of the last', async () => {
    const { group, starter, observed, accepted, compute } = await stubGroup(2);
    const computed = compute(2);
    starter.heads[1]?.answer();
    for (let i = 0; i < 5; i++) {
      await pass(1000);
      starter.calls.find(({ shard }) => shard.shard === 0)?.fail(lost());
    }
    await expect(computed).rejects.toMatchObject({
      code: 'faults',
      message: expect.stringMatching(
        /^5 replicas lost on one shard, expected at most 4 \(--max-shard-losses\): replica \d failed on step 5, .* shard 0: it ended/,
      ),
    });
    expect(observed.faults.length).toBe(5);
    expect(accepted).toEqual([1]);
    await expect(compute(1)).rejects.toThrow('5 replicas lost');
    await expect(group.sample({ seed: 1, count: 1, statistics: 'batch' })).rejects.toThrow('5 replicas lost');
  });

  it('on as many replicas of a shard as it is told, however many restarts there may be', async () => {
    const { starter, observed, accepted, compute } = await stubGroup(2, { maxShardLosses: 8 });
    const computed = compute(1);
    for (let i = 0; i < 8; i++) {
      starter.calls.findLast(({ shard }) => shard.shard === 0)?.fail(lost());
      await pass(20_000);
    }
    expect(observed.faults.length).toBe(8);
    starter.calls.findLast(({ shard }) => shard.shard === 0)?.answer();
    await computed;
    expect(accepted).toEqual([0]);

    const none = await stubGroup(2, { maxShardLosses: 0 });
    const given = none.compute(1);
    none.starter.next().fail(lost());
    await expect(given).rejects.toThrow('1 replicas lost on one shard, expected at most 0 (--max-shard-losses)');
  });

  it('not on five failures of different shards, nor on a shard that a failing replica only had in hand', async () => {
    const { starter, observed, accepted, compute } = await stubGroup(1);
    const computed = compute(7);
    for (let shard = 0; shard < 6; shard++) {
      expect(starter.next().shard.shard).toBe(shard);
      starter.next().fail(lost()); // the next one is in hand, too
      await pass(100);
      starter.next().answer();
      await settled();
    }
    await starter.answerAll();
    await computed;
    expect(observed.faults.length).toBe(6);
    expect(accepted).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  it('on more restarts in a minute than allowed, with the reasons', async () => {
    const { starter, observed, compute } = await stubGroup(1, { maxRestarts: 2 });
    const computed = compute(9);
    for (let i = 0; i < 3; i++) {
      starter.next().answer();
      await settled();
      starter.next().fail(lost());
      await pass(100);
    }
    const why = (shard: number) =>
      `replica 0 failed on step 5, generator phase, shard ${shard}: it ended with exit code 1`;
    await expect(computed).rejects.toMatchObject({
      code: 'faults',
      message: `3 replicas lost within 60 s, expected at most 2 (--max-restarts): ${why(1)}; ${why(2)}; ${why(3)}`,
    });
    expect(observed.faults.length).toBe(3);
    expect(starter.started.length).toBe(3); // no further start
  });

  it('not when the restarts lie further apart', async () => {
    const { starter, observed, accepted, compute } = await stubGroup(1, { maxRestarts: 2 });
    for (let minute = 0; minute < 3; minute++) {
      for (let i = 0; i < 2; i++) {
        const computed = compute(1);
        starter.next().fail(lost());
        await pass(100);
        await starter.answerAll();
        await computed;
      }
      await pass(61_000);
    }
    expect(observed.faults.length).toBe(6);
    expect(accepted.length).toBe(6);
  });
});
