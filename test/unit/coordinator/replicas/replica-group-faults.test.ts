// coordinator/replicas/replica-group.ts where replicas fail: reports, restarts, and the shards computed again.
import { describe, expect, it, vi } from 'vitest';
import { GanglionError } from '../../../../shared/error.ts';
import { pass, useFakeTime } from './fake-time.ts';
import { settled, stubGroup } from './stub-replicas.ts';

useFakeTime();

const lost = () => new GanglionError('replica', 'it ended with exit code 1', { place: { replica: 0 }, reason: 'exit' });

describe('a replica that fails', () => {
  it('is reported and ended, and all its shards go to the others at once, before those that wait', async () => {
    const { group, starter, observed, accepted, compute } = await stubGroup(2);
    const computed = compute(8); // 0, 2 and 4 at the first, 1, 3 and 5 at the second
    starter.heads[1]?.answer();
    await settled();
    expect(starter.pairs).toEqual([
      [0, 0],
      [0, 2],
      [1, 3],
      [0, 4],
      [1, 5],
      [1, 6],
    ]);
    starter.next().fail(lost());
    await settled();
    expect(observed.faults).toMatchObject([
      {
        code: 'replica',
        reason: 'exit',
        message: 'replica 0 failed on step 5, generator phase, shard 0: it ended with exit code 1',
        place: { replica: 0, step: 5, pass: 'generator', shard: 0 },
      },
    ]);
    expect(starter.started[0]?.stopped).toBe(true);
    const order: number[] = [];
    for (let i = 0; i < 4; i++) {
      starter.next().answer();
      await settled();
      order.push(...starter.pairs.slice(-1).map(([, shard]) => shard));
    }
    expect(order).toEqual([0, 2, 4, 7]);
    await starter.answerAll();
    await computed;
    expect(accepted.toSorted()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(group.restarts).toBe(1);
  });

  it('goes on counting its shards and their time when it is replaced', async () => {
    const { group, starter, compute } = await stubGroup(1);
    const computed = compute(3);
    const counts = () => group.status.map(({ answered, busySeconds, restarts }) => [answered, busySeconds, restarts]);
    await vi.advanceTimersByTimeAsync(300);
    starter.next().answer();
    await settled();
    expect(counts()).toEqual([[1, 0.3, 0]]);
    await vi.advanceTimersByTimeAsync(5);
    starter.next().fail(lost()); // a shard without an answer does not count
    await pass(3_000);
    expect(counts()).toEqual([[1, 0.3, 1]]);
    const before = group.status[0]?.busySeconds ?? 0;
    await starter.answerAll();
    await computed;
    expect(counts()).toEqual([[3, expect.any(Number), 1]]);
    expect(group.status[0]?.busySeconds).toBeGreaterThan(before);
  });

  it('is replaced by a new one with its number after a moment, which takes shards', async () => {
    const { group, starter, accepted, compute } = await stubGroup(2);
    const computed = compute(8);
    starter.next().fail(lost());
    await settled();
    expect(group.status.map(({ state, restarts, pid }) => [state, restarts, pid])).toEqual([
      ['restarting', 1, null],
      ['busy', 0, 1],
    ]);
    await pass(49);
    expect(starter.started.length).toBe(2);
    await pass(10);
    expect(starter.started.length).toBe(3);
    expect(starter.calls.filter(({ replica }) => replica.ready.pid === 100).map(({ shard }) => shard.shard)).toEqual([
      0, 2, 4,
    ]);
    await starter.answerAll();
    await computed;
    expect(accepted.toSorted()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(group.status[0]).toMatchObject({ state: 'idle', restarts: 1, pid: 100 });
  });

  it('is waited for when it is the only one', async () => {
    const { starter, accepted, compute } = await stubGroup(1);
    const computed = compute(2);
    starter.next().fail(lost());
    await pass(60);
    await starter.answerAll();
    await computed;
    expect(accepted).toEqual([0, 1]);
    expect(starter.started.length).toBe(2);
  });

  it('does not speak for the one that is put in its place', async () => {
    const { starter, observed, accepted, compute } = await stubGroup(1);
    const computed = compute(1);
    const late = starter.next();
    late.fail(lost());
    await pass(60);
    expect(starter.calls.length).toBe(1);
    late.answer(); // of the lost one
    await settled();
    expect(accepted).toEqual([]);
    await starter.answerAll();
    await computed;
    expect([accepted, observed.faults.length]).toEqual([[0], 1]);
  });

  it.each([
    ['no GanglionError', new Error('out\nof memory'), 'replica', 'error', 'out of memory'],
    ['another code', new GanglionError('shape', 'input z'), 'shape', undefined, 'input z'],
  ] as const)('is reported with step, pass, shard and replica: %s', async (_, error, code, reason, message) => {
    const { starter, observed, compute } = await stubGroup(1);
    void compute(2);
    starter.next().answer();
    await settled();
    starter.next().fail(error);
    await settled();
    expect(observed.faults).toMatchObject([
      {
        code,
        reason,
        message: `replica 0 failed on step 5, generator phase, shard 1: ${message}`,
        place: { replica: 0, step: 5, pass: 'generator', shard: 1 },
        cause: error,
      },
    ]);
  });

  it('restarts one after another when all fail at once', async () => {
    const { group, starter, observed, accepted, compute } = await stubGroup(3);
    const computed = compute(3);
    for (const call of [...starter.calls]) call.fail(lost());
    await pass(100);
    expect(starter.mostAtOnce).toBe(1);
    await starter.answerAll();
    await computed;
    expect(observed.faults.length).toBe(3);
    expect(group.restarts).toBe(3);
    expect(accepted.toSorted()).toEqual([0, 1, 2]);
    expect(starter.started.length).toBe(6);
  });

  it.each([
    [{ engine: 'tensorflow-cpu', libraryVersion: '2.21.0' }, 'tensorflow-cpu 2.21.0'],
    [{ libraryVersion: '1.3' }, 'stub 1.3'],
  ])('is not replaced by one that computes with something else: %o', async (computing, words) => {
    const { group, starter, observed, accepted, compute } = await stubGroup(2);
    const computed = compute(4);
    starter.computing = computing;
    starter.heads[1]?.fail(lost());
    await pass(100);
    const [, refused] = observed.faults;
    expect(refused).toMatchObject({
      code: 'environment',
      message: `replica 1 computes on ${words}, expected stub 1.2, as the others`,
      place: { replica: 1 },
    });
    expect(starter.started.slice(2).every(({ stopped }) => stopped)).toBe(true);
    expect(starter.started.length).toBeGreaterThan(2);
    expect(group.status[1]?.state).toBe('restarting');
    starter.computing = {};
    await pass(3_000);
    expect(group.status[1]?.state).toBe('busy'); // tried again, as after any start that fails
    await starter.answerAll();
    await computed;
    expect(accepted.toSorted()).toEqual([0, 1, 2, 3]);
  });
});
