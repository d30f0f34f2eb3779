// coordinator/replicas/replica-group.ts where answers are late.

import { describe, expect, it } from 'vitest';
import { toHost } from '../../../../coordinator/replicas/replica.ts';
import { pass, useFakeTime } from './fake-time.ts';
import { settled, shardsOf, stubGroup } from './stub-replicas.ts';

useFakeTime();

describe('a late shard', () => {
  /** Two replicas that have each needed 10 ms for a shard; then `shards` are under way. */
  async function usual(shards: number) {
    const group = await stubGroup(2);
    const first = group.compute(2);
    await pass(10);
    await group.starter.answerAll();
    await first;
    group.accepted.length = 0;
    return { ...group, computed: group.compute(shards) };
  }

  it('is given to an idle replica too after three times the usual time and 50 ms; the first answer counts', async () => {
    const { starter, observed, accepted, computed } = await usual(2);
    starter.heads[1]?.answer(); // replica 1 is idle
    await pass(60);
    expect(observed.stragglers).toEqual([]);
    await pass(40);
    expect(observed.stragglers).toEqual([[0, 0]]);
    expect(starter.pairs).toEqual([
      [0, 0],
      [1, 0],
    ]);
    const [slow] = starter.calls;
    starter.calls[1]?.answer();
    await computed;
    expect(accepted).toEqual([1, 0]);
    slow?.answer();
    await settled();
    expect(accepted).toEqual([1, 0]);
    expect(observed.faults).toEqual([]);
  });

  it('counts once when the late replica is the first after all, and both work on', async () => {
    const { group, starter, accepted, compute, computed } = await usual(2);
    starter.heads[1]?.answer();
    await pass(100);
    starter.calls[0]?.answer();
    await computed;
    expect(accepted).toEqual([1, 0]);
    const next = compute(2);
    await starter.answerAll();
    await next;
    expect(accepted).toEqual([1, 0, 0, 1]);
    expect(group.restarts).toBe(0);
  });

  it('goes to no third replica, and back into the queue when both are lost', async () => {
    const { starter, observed, accepted, computed } = await usual(2);
    starter.heads[1]?.answer();
    await pass(100);
    await pass(100);
    expect(observed.stragglers.length).toBe(1);
    for (const call of [...starter.calls]) call.fail(new Error('lost'));
    for (let i = 0; i < 10; i++) await pass(20);
    await starter.answerAll();
    await computed;
    expect(accepted).toEqual([1, 0]);
  });
});

it('a late replica is not waited for by an audit: the one that has answered is asked again', async () => {
  const { group, starter, observed } = await stubGroup(2, { audit: 1 });
  const values: number[] = [];
  const compute = () =>
    group.compute(shardsOf(1), (_, result) => {
      values.push(toHost(result.values)[0] ?? Number.NaN);
      result.release();
    });
  const first = compute();
  for (let i = 0; i < 2; i++) {
    await pass(10);
    starter.next().answer(0.25);
    await settled();
  }
  await first;
  const next = compute();
  starter.next().answer(0.5); // of replica 0
  await pass(60);
  expect(starter.pairs).toEqual([[1, 0]]);
  await pass(60);
  expect(starter.pairs).toEqual([
    [1, 0],
    [0, 0],
  ]);
  starter.calls[1]?.answer(0.5);
  await next;
  expect(values).toEqual([0.25, 0.5]);
  expect(observed.stragglers).toEqual([[0, 1]]);
});

it('an answer of a replica that was given up is released, and counts for nothing', async () => {
  const { group, starter, observed, accepted, compute } = await stubGroup(2);
  const released: number[] = [];
  for (const replica of starter.started) {
    const answer = replica.compute.bind(replica);
    replica.compute = async (shard) => {
      const result = await answer(shard);
      return { ...result, release: () => released.push(replica.id) };
    };
    replica.onStop = () => new Promise(() => {}); // stuck in its shard
  }
  const computed = compute(2);
  const slow = starter.heads[0];
  await pass(10);
  starter.heads[1]?.answer();
  await pass(100); // replica 1 is given shard 0, too
  starter.heads[1]?.answer();
  await computed;
  await pass(10_000);
  expect(observed.faults).toMatchObject([{ reason: 'deadline', place: { replica: 0, shard: 0 } }]);
  slow?.answer();
  await settled();
  expect([accepted, released]).toEqual([
    [1, 0],
    [1, 1, 0],
  ]);
  expect(group.restarts).toBe(1);
});
