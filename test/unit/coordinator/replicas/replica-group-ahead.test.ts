// Shards whose results are accepted while they are on their way.
import { describe, expect, it } from 'vitest';
import type { Shard, TakenResult } from '../../../../coordinator/replicas/replica.ts';
import { GanglionError } from '../../../../shared/error.ts';
import { pass, useFakeTime } from './fake-time.ts';
import { settled, stubGroup } from './stub-replicas.ts';

useFakeTime();

const shards = (count: number, pass: Shard['pass'] = 'fake'): Shard[] =>
  Array.from({ length: count }, (_, shard) => ({ step: 1, pass, shard, ahead: true }));

/** Takes results, and gives each back at once. */
function taking() {
  const taken: TakenResult[] = [];
  const accept = (_: Shard, result: TakenResult): void => {
    taken.push(result);
    result.release();
  };
  return { taken, accept };
}

describe('a result on its way', () => {
  it('is accepted once, with its mark, and its seconds when the replica has answered', async () => {
    const { group, starter } = await stubGroup(1);
    const { taken, accept } = taking();
    const computed = group.compute(shards(1), accept);
    const [call] = starter.calls;
    call?.begin();
    expect(await computed).toEqual([]);
    expect(taken.map(({ mark }) => mark)).toEqual([5]);
    expect(group.status).toMatchObject([{ state: 'busy', shards: 1, answered: 0 }]);
    call?.answer();
    expect(await taken[0]?.seconds).toMatchObject({ prepare: 0 });
    expect(group.status).toMatchObject([{ state: 'idle', shards: 1, answered: 1 }]);
    expect(taken).toHaveLength(1);
    await group.stop();
  });

  it('makes room for others: what is begun is not in hand', async () => {
    const { group, starter } = await stubGroup(1);
    const { accept } = taking();
    const computed = group.compute(shards(5), accept);
    expect(starter.calls).toHaveLength(3);
    for (const call of starter.calls.slice(0, 2)) call.begin();
    expect(starter.calls).toHaveLength(5);
    await starter.answerAll();
    await computed;
    await group.stop();
  });

  it('counts also where its replica is lost after that, or finds a bad value: the device tells what became of it', async () => {
    const { group, starter, observed } = await stubGroup(2, { now: () => 0 });
    const { taken, accept } = taking();
    const computed = group.compute(shards(2), accept);
    const [lost, bad] = starter.calls;
    lost?.begin();
    bad?.begin();
    await computed;
    lost?.fail(new GanglionError('replica', 'it has crashed', { reason: 'error' }));
    bad?.fail(new GanglionError('range', 'gradient[0] is NaN', { reason: 'range' }));
    await settled();
    expect(await Promise.all(taken.map(({ seconds }) => seconds))).toEqual([undefined, undefined]);
    expect(observed.faults).toHaveLength(1);
    expect(starter.calls).toEqual([]); // nothing is computed again
    await group.stop();
  });

  it('is waited for no longer where its replica never answers: it is lost at the deadline of the next shard, which counts as its failure', async () => {
    const { group, starter, observed, compute } = await stubGroup(1, { maxShardLosses: 0 });
    const { taken, accept } = taking();
    const usual = compute(1);
    await pass(10);
    await starter.answerAll();
    await usual;
    const computed = group.compute(shards(1, 'generator'), accept);
    const later = group.compute(shards(1, 'generator'), accept);
    starter.calls[0]?.begin();
    await computed;
    const failed = expect(later).rejects.toThrow('1 replicas lost on one shard, expected at most 0');
    await pass(20_000);
    expect(observed.faults[0]?.message).toMatch(/gave no answer in \d+ ms/);
    expect(await taken[0]?.seconds).toBeUndefined();
    await failed;
    await group.stop();
  });

  it('is waited for no longer where the group has given up', async () => {
    const { group, starter } = await stubGroup(1);
    const { taken, accept } = taking();
    const computed = group.compute(shards(1), accept);
    starter.calls[0]?.begin();
    await computed;
    group.fail(new Error('the GPU is lost'));
    expect(await taken[0]?.seconds).toBeUndefined();
    await group.stop();
  });

  it('is given back where another replica, which the late shard went to as well, was faster', async () => {
    const { group, starter, compute } = await stubGroup(2);
    const { taken, accept } = taking();
    const usual = compute(2);
    await pass(10);
    await starter.answerAll();
    await usual;
    const computed = group.compute(shards(1, 'generator'), accept);
    const [late] = starter.calls;
    await pass(100);
    starter.calls[1]?.begin();
    await computed;
    late?.begin();
    expect(() => late?.begin()).toThrow('released twice');
    await starter.answerAll();
    expect(taken).toHaveLength(1);
    expect(group.restarts).toBe(0);
    await group.stop();
  });
});

it('a shard is not ahead where it is audited, or has a planned fault', async () => {
  const fault = { kind: 'flip' } as const;
  const { group, starter } = await stubGroup(2, { audit: 1 });
  const { accept } = taking();
  const computed = group.compute(shards(1), accept);
  await starter.answerAll();
  await computed;
  await group.stop();
  const planned = await stubGroup(1, { faults: ({ shard }: Shard) => (shard === 0 ? fault : undefined) });
  const others = planned.group.compute(shards(2), accept);
  expect(planned.starter.calls.map(({ shard }) => [shard.ahead, shard.fault])).toEqual([
    [false, fault],
    [true, undefined],
  ]);
  await planned.starter.answerAll();
  await others;
  await planned.group.stop();
});
