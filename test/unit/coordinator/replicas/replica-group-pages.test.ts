// Replicas that pages lend: what they give counts only as far as the group was told, whatever they give and whenever they leave.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ReplicaGroupOptions } from '../../../../coordinator/replicas/group-options.ts';
import { ARITHMETIC } from '../../../../shared/arithmetic.ts';
import { GanglionError } from '../../../../shared/error.ts';
import type { ReplicaReady } from '../../../../shared/protocol.ts';
import { type Call, StubReplica, settled, shardsOf, stubGroup } from './stub-replicas.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

const PAGE = 1000;

/** A group that survives no loss. */
async function groupOf(count: number, options: Partial<ReplicaGroupOptions> = {}) {
  const made = await stubGroup(count, { maxRestarts: 0, maxShardLosses: 0, ...options });
  const join = (id = PAGE, computing: Partial<ReplicaReady> = {}): StubReplica => {
    const page = new StubReplica(id, 0, made.starter.calls, { computing, now: made.starter.now });
    made.group.join(page);
    return page;
  };
  /** The call of a shard under way on a page, or on another replica. */
  const callOf = (shard: number, onPage: boolean) => {
    const found = made.starter.calls.find((call) => call.shard.shard === shard && call.replica.id >= PAGE === onPage);
    if (!found) throw new Error(`nobody computes shard ${shard}`);
    return found;
  };
  /** Answers all calls of the first replica. */
  const answerOwn = async (): Promise<void> => {
    for (;;) {
      await settled();
      const own = made.starter.calls.find(({ replica }) => replica.id === 0);
      if (!own) return;
      own.answer();
    }
  };
  const shardsCounted = (): [id: number, shards: number][] => made.group.status.map(({ id, shards }) => [id, shards]);
  return { ...made, left: made.observed.gone, join, callOf, answerOwn, shardsCounted };
}

describe('where all is compared, as by default', () => {
  it('another replica computes every shard, and counts', async () => {
    const { compute, join, starter, accepted, left, shardsCounted } = await groupOf(1);
    join();
    const computed = compute(4);
    await starter.answerAll();
    expect(await computed).toEqual([]);
    expect(accepted.toSorted()).toEqual([0, 1, 2, 3]);
    expect(left).toEqual([]);
    expect(shardsCounted()).toEqual([
      [0, 4],
      [PAGE, 0],
    ]);
  });

  it('nobody waits for a page', async () => {
    const { compute, join, starter, accepted, answerOwn } = await groupOf(1);
    join();
    const computed = compute(2);
    await answerOwn();
    expect(await computed).toEqual([]);
    expect(accepted.toSorted()).toEqual([0, 1]);
    expect(starter.pairs).toEqual([[PAGE, 1]]);
  });

  it.each([
    ['before the other one', true],
    ['after it', false],
  ])('a page that lies %s is ended, and its answer nowhere', async (_, isFirst) => {
    const { group, compute, join, callOf, starter, accepted, observed, left } = await groupOf(1);
    const page = join();
    const computed = compute(2);
    await settled();
    const [lie, truth] = [callOf(1, true), callOf(1, false)];
    callOf(0, false).answer();
    if (isFirst) lie.answer(7);
    await settled();
    expect(accepted).toEqual([0]);
    truth.answer();
    await settled();
    if (!isFirst) lie.answer(7);
    await settled();
    expect(await computed).toEqual([]);
    expect(accepted).toEqual([0, 1]);
    expect(left).toEqual([[PAGE, 0, 'audit']]);
    expect(page.stopped).toBe(true);
    expect(group.status.map(({ id }) => id)).toEqual([0]);
    expect([observed.faults, group.restarts, starter.calls]).toEqual([[], 0, []]);
  });

  it('a value out of range that only a page finds skips nothing', async () => {
    const { compute, join, callOf, starter, left } = await groupOf(1);
    join();
    const computed = compute(2);
    await settled();
    callOf(1, true).fail(new GanglionError('range', 'gradient/x[0] is NaN'));
    await starter.answerAll();
    expect(await computed).toEqual([]);
    expect(left).toEqual([[PAGE, 0, 'audit']]);
  });
});

describe('where nothing is compared', () => {
  it('what a page gives counts, and it is one of those that compute', async () => {
    const { compute, join, callOf, starter, accepted, shardsCounted } = await groupOf(1, { pageAudit: 0 });
    join();
    const computed = compute(2);
    await settled();
    expect(starter.pairs.toSorted()).toEqual([
      [0, 0],
      [PAGE, 1],
    ]);
    callOf(1, true).answer();
    await settled();
    expect(accepted).toEqual([1]);
    await starter.answerAll();
    expect(await computed).toEqual([]);
    expect(shardsCounted()).toEqual([
      [0, 1],
      [PAGE, 1],
    ]);
  });

  it('an audit of the run takes two other replicas all the same', async () => {
    const { compute, join, starter, accepted, shardsCounted } = await groupOf(2, { pageAudit: 0, audit: 1 });
    join();
    const computed = compute(2);
    await starter.answerAll();
    await computed;
    expect(accepted.toSorted()).toEqual([0, 1]);
    expect(shardsCounted().at(-1)).toEqual([PAGE, 0]);
  });

  it('the shards of a page that leaves go to others, and no loss is counted', async () => {
    const { group, compute, join, starter, accepted, observed, left } = await groupOf(1, { pageAudit: 0 });
    const page = join();
    const computed = compute(4);
    await settled();
    expect(starter.pairs).toContainEqual([PAGE, 1]);
    group.leave(page, new GanglionError('replica', 'has left', { reason: 'exit' }));
    await starter.answerAll();
    expect(await computed).toEqual([]);
    expect(accepted.toSorted()).toEqual([0, 1, 2, 3]);
    expect([left, observed.faults, group.restarts]).toEqual([[[PAGE, 0, 'exit']], [], 0]);
  });

  it('a call that a page fails is no loss of its shard', async () => {
    const { compute, join, callOf, starter, left } = await groupOf(1, { pageAudit: 0 });
    join();
    const computed = compute(2);
    await settled();
    callOf(1, true).fail(new GanglionError('replica', 'sent a malformed frame', { reason: 'frame' }));
    await starter.answerAll();
    expect(await computed).toEqual([]);
    expect(left).toEqual([[PAGE, 0, 'frame']]);
  });

  it.each([
    ['gives another result', (call: Call) => call.answer()],
    ['finds a value out of range', (call: Call) => call.fail(new GanglionError('range', 'x is NaN'))],
  ])('a page that has lied is ended, not the replica that %s later', async (_, strike) => {
    const { group, join, callOf, starter, observed, left } = await groupOf(1, { pageAudit: 0 });
    join();
    join(PAGE + 1);
    const computed = group.compute(shardsOf(3), (_, { release }) => release());
    await settled();
    const [lied = -1] = starter.pairs.flatMap(([replica, shard]) => (replica === PAGE ? [shard] : []));
    for (const { replica, shard } of [...starter.calls]) if (replica.id === 0) callOf(shard.shard, false).answer();
    await settled();
    await vi.advanceTimersByTimeAsync(1_000); // the shards of pages are late: another replica gets the first
    callOf(lied, true).answer(7);
    await settled();
    strike(callOf(lied, false));
    await starter.answerAll();
    expect(await computed).toEqual([]);
    expect(left).toEqual([[PAGE, 1, 'audit']]);
    expect([observed.faults, observed.stragglers]).toEqual([[], []]);
  });

  it('what a second page has in hand is compared, too, once the first was wrong', async () => {
    const chances = [0.9, 0.9, 0.1, 0.9];
    const made = await groupOf(1, { pageAudit: 0.2, chance: () => chances.shift() ?? 0.9 });
    const { compute, join, callOf, starter, left, shardsCounted, answerOwn } = made;
    join();
    join(PAGE + 1);
    const computed = compute(4);
    await settled();
    callOf(2, true).answer(7);
    await answerOwn();
    expect(left.map(([, , reason]) => reason)).toEqual(['audit']);
    callOf(1, true).answer(8);
    await starter.answerAll();
    expect(await computed).toEqual([]);
    expect(left.map(([id]) => id).toSorted()).toEqual([PAGE, PAGE + 1]);
    expect(shardsCounted()).toEqual([[0, 4]]);
  });

  it('a page that answers no more is ended after the deadline', async () => {
    const { compute, join, callOf, left, accepted } = await groupOf(1, { pageAudit: 0 });
    join();
    const computed = compute(2);
    await settled();
    callOf(0, false).answer();
    await settled();
    // As a straggler's, its shard is another replica's by now; that one answers, and the page is given up all the same.
    await vi.advanceTimersByTimeAsync(1_000);
    callOf(1, false).answer();
    await vi.advanceTimersByTimeAsync(60_000);
    await settled(); // the group looks once the clock has told it
    expect(await computed).toEqual([]);
    expect(accepted.toSorted()).toEqual([0, 1]);
    expect(left).toEqual([[PAGE, 0, 'deadline']]);
  });
});

it('compares the share that was asked for; all, once a page was wrong', async () => {
  const chances = [0.3, 0.1, 0.3, 0.3];
  const { compute, join, callOf, starter, left, shardsCounted } = await groupOf(1, {
    pageAudit: 0.2,
    chance: () => chances.shift() ?? 0.9,
  });
  join();
  const first = compute(2);
  await settled();
  callOf(1, true).answer(9);
  await starter.answerAll();
  await first;
  expect(left).toEqual([[PAGE, 0, 'audit']]);
  join(PAGE + 1);
  const second = compute(4);
  await starter.answerAll();
  await second;
  expect(shardsCounted()).toEqual([
    [0, 6],
    [PAGE + 1, 0],
  ]);
});

it('a page that takes longer for a shard than others for all gets none that counts', async () => {
  const { compute, join, starter } = await groupOf(2, { pageAudit: 0 });
  join();
  for (let call = 0; call < 12; call++) {
    const computed = compute(3, call);
    await settled();
    const slow = starter.calls.filter(({ replica }) => replica.id === PAGE);
    await vi.advanceTimersByTimeAsync(10);
    for (const { replica } of starter.calls.filter((own) => own.replica.id < PAGE).slice(0, 2)) {
      starter.calls.find((own) => own.replica === replica)?.answer();
    }
    if (slow.length > 0) await vi.advanceTimersByTimeAsync(40);
    await starter.answerAll();
    await computed;
  }
  const last = compute(3, 20);
  await settled();
  expect(starter.pairs.map(([replica]) => replica)).not.toContain(PAGE);
  await starter.answerAll();
  await last;
});

it('pages are not among the workers that are counted, and draw no samples', async () => {
  const { group, join, starter } = await groupOf(2);
  const page = join();
  expect(group.size).toBe(2);
  expect(group.computing.engine).toBe('stub');
  group.resize(1);
  await settled();
  expect(group.status.map(({ id, pid }) => [id, pid])).toEqual([
    [0, 0],
    [PAGE, null],
  ]);
  await group.sample({ seed: 1, count: 2, statistics: 'batch' });
  expect(page.samples).toEqual([]);
  await group.stop();
  expect([page.stopped, starter.calls]).toEqual([true, []]);
  expect(() => join()).toThrow('the run has ended');
});

it('refuses a page of another arithmetic', async () => {
  const { group, join } = await groupOf(1, {});
  expect(() => join(PAGE, { arithmetic: ARITHMETIC + 1 })).toThrow(
    `replica ${PAGE} computes on arithmetic ${ARITHMETIC + 1}, expected stub 1.2, as the others`,
  );
  expect(group.status.map(({ id }) => id)).toEqual([0]);
});

it('is asked for as many shards as it may hold', async () => {
  const { group, join, starter } = await groupOf(1, { pageAudit: 0 });
  join();
  const computed = group.compute(shardsOf(9), (_, { release }) => release());
  await settled();
  expect(starter.calls.filter(({ replica }) => replica.id === PAGE)).toHaveLength(1);
  await starter.answerAll();
  await computed;
});
