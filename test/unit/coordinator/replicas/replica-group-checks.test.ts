// coordinator/replicas/replica-group.ts where answers are in doubt: values out of range, audits.
import { describe, expect, it } from 'vitest';
import { type Shard, toHost } from '../../../../coordinator/replicas/replica.ts';
import { GanglionError } from '../../../../shared/error.ts';
import { pass, useFakeTime } from './fake-time.ts';
import { settled, shardsOf, stubGroup } from './stub-replicas.ts';

useFakeTime();

const bad = (value = 'gradient/x[3] is NaN') =>
  new GanglionError('range', value, { place: { replica: 9 }, reason: 'range' });

describe('a value out of range', () => {
  it('is confirmed by another replica: the shard is bad, and no replica is lost', async () => {
    const { group, starter, observed, accepted, compute } = await stubGroup(2);
    const computed = compute(2);
    starter.heads[0]?.fail(bad());
    await settled();
    expect(starter.pairs).toEqual([
      [1, 1],
      [1, 0],
    ]);
    starter.next().answer();
    await settled();
    starter.next().fail(bad());
    expect(await computed).toEqual([{ shard: shardsOf(2)[0], replicas: [0, 1], what: 'gradient/x[3] is NaN' }]);
    expect(accepted).toEqual([1]);
    expect([group.restarts, observed.faults]).toEqual([0, []]);
  });

  it('replaces who finds it late, when another has given a result', async () => {
    const { starter, observed, compute } = await stubGroup(3);
    const first = compute(3);
    await starter.answerAll();
    await first;
    const computed = compute(2);
    const [late] = starter.heads;
    await pass(100); // replica 2 is given shard 0, too
    starter.calls.find(({ replica }) => replica.id === 2)?.answer();
    await settled();
    late?.fail(bad());
    await settled();
    expect(observed.faults.map(({ message }) => message)).toEqual([
      'replica 0 failed on step 5, generator phase, shard 0: gradient/x[3] is NaN, where others have none',
    ]);
    await starter.answerAll();
    await computed;
  });

  it('is confirmed by another replica also when that one has to start first', async () => {
    const { starter, accepted, compute } = await stubGroup(2);
    const computed = compute(2);
    starter.heads[1]?.fail(new Error('lost'));
    await settled();
    starter.heads[0]?.fail(bad());
    await settled();
    starter.next().answer();
    await settled();
    expect(starter.pairs).toEqual([]); // replica 0 alone cannot tell whether it is the shard
    await pass(50);
    expect(starter.pairs).toEqual([[1, 0]]);
    starter.next().fail(bad());
    expect(await computed).toMatchObject([{ replicas: [0, 1] }]);
    expect(accepted).toEqual([1]);
  });

  it('is confirmed by the same replica where there is no other', async () => {
    const { starter, compute } = await stubGroup(1);
    const computed = compute(1);
    starter.next().fail(bad());
    await settled();
    starter.next().fail(bad());
    expect(await computed).toMatchObject([{ replicas: [0, 0] }]);
  });

  it('names the replicas that have it, and not the one that has none and is replaced', async () => {
    const { starter, observed, compute } = await stubGroup(3);
    const computed = compute(1);
    for (const end of ['fail', 'answer', 'fail'] as const) {
      if (end === 'fail') starter.next().fail(bad());
      else starter.next().answer();
      await settled();
    }
    expect(await computed).toMatchObject([{ replicas: [0, 2] }]);
    expect(observed.faults).toMatchObject([{ reason: 'audit', place: { replica: 1 } }]);
  });

  it('is the fault of the replica when two others have a good one, and that one is used', async () => {
    const { group, starter, observed, accepted, compute } = await stubGroup(3);
    const computed = compute(1);
    starter.next().fail(bad());
    await settled();
    expect(starter.pairs).toEqual([[1, 0]]);
    starter.next().answer(); // one against one
    await settled();
    expect(starter.pairs).toEqual([[2, 0]]);
    starter.next().answer();
    expect(await computed).toEqual([]);
    expect(accepted).toEqual([0]);
    expect(observed.faults).toMatchObject([
      {
        code: 'replica',
        reason: 'range',
        message: 'replica 0 failed on step 5, generator phase, shard 0: gradient/x[3] is NaN, where others have none',
      },
    ]);
    expect(group.status.map(({ state }) => state)).toEqual(['restarting', 'idle', 'idle']);
  });

  it('is the fault of the replica that has it every time also where there are only two', async () => {
    const { group, starter, observed, accepted, compute } = await stubGroup(2);
    const [faulty] = starter.started;
    const computed = compute(1);
    for (let i = 0; i < 50 && accepted.length === 0; i++) {
      const call = starter.calls[0];
      if (call?.replica === faulty) call?.fail(bad());
      else call?.answer();
      await pass(20);
    }
    expect(await computed).toEqual([]);
    expect(accepted).toEqual([0]);
    const named = observed.faults.map(({ reason, place }) => [reason, place.replica]);
    expect(named).toEqual([
      ['audit', 0], // each stays by its answer: new ones decide
      ['audit', 1],
    ]);
    expect(group.status.map(({ restarts }) => restarts)).toEqual([1, 1]);
  });

  it('that is another one each time ends the run after five', async () => {
    const { starter, compute } = await stubGroup(1);
    const computed = compute(1);
    for (let i = 0; i < 5; i++) {
      starter.next().fail(bad(`gradient/x[${i}] is NaN`));
      await settled();
    }
    const message = '5 computations of step 5, generator phase, shard 0 gave other bits each';
    await expect(computed).rejects.toMatchObject({ code: 'faults', message });
  });
});

describe('an audit', () => {
  /** Computes audited shards whose values the test gives. */
  async function audited(count: number, shards: number, audit = 1) {
    const group = await stubGroup(count, { audit });
    const values: number[] = [];
    const jobs: readonly Shard[] = shardsOf(shards);
    const computed = group.group.compute(jobs, (_, result) => {
      values.push(toHost(result.values)[0] ?? Number.NaN);
      result.release();
    });
    computed.catch(() => {});
    return { ...group, values, computed };
  }

  it('computes a shard on two replicas, and accepts it once when the bits are equal', async () => {
    const { group, starter, observed, values, computed } = await audited(2, 1);
    expect(starter.pairs).toEqual([[0, 0]]);
    starter.next().answer(0.25);
    await settled();
    expect([values, starter.pairs]).toEqual([[], [[1, 0]]]);
    starter.next().answer(0.25);
    await computed;
    expect(values).toEqual([0.25]);
    expect(observed.audits).toEqual([0]);
    expect([group.restarts, observed.faults]).toEqual([0, []]);
  });

  it.each([
    ['the first', [0.5, 0.25, 0.25], 0],
    ['the second', [0.25, 0.5, 0.25], 1],
  ])('names the replica whose bits no other has: %s', async (_, answers, guilty) => {
    const { group, starter, observed, values, computed } = await audited(3, 1);
    for (const answer of answers) {
      starter.next().answer(answer);
      await settled();
    }
    await computed;
    expect(values).toEqual([0.25]);
    expect(observed.faults).toMatchObject([
      {
        reason: 'audit',
        message: `replica ${guilty} failed on step 5, generator phase, shard 0: its result has other bits than two others`,
      },
    ]);
    expect(group.status[guilty]?.state).toBe('restarting');
  });

  it.each([0, 1])(
    'does not believe a replica that gives the same wrong bits again: replica %i of two',
    async (guilty) => {
      const { group, starter, observed, values, computed } = await audited(2, 1);
      const faulty = starter.started[guilty];
      for (let i = 0; i < 50 && values.length === 0; i++) {
        const call = starter.calls[0];
        call?.answer(call.replica === faulty ? 0.5 : 0.25);
        await pass(20);
      }
      await computed;
      expect(values).toEqual([0.25]);
      expect(observed.faults.map(({ place }) => place.replica)).toContain(guilty);
      expect(group.status[guilty]?.restarts).toBe(1);
    },
  );

  describe('judges a late answer to what others have decided', () => {
    /** Five replicas; 1 and 4 have decided shard 0, at which 0 is late, and shard 1 is or is not under way. */
    async function decided({ isOver }: { isOver: boolean }) {
      const { group, starter, observed, compute } = await stubGroup(5, { audit: 1 });
      const first = compute(5);
      await starter.answerAll();
      await first;
      const of = (replica: number) => starter.calls.find((call) => call.replica.id === replica);
      const values: number[] = [];
      const computed = group.compute(shardsOf(isOver ? 1 : 2), (_, result) =>
        values.push(toHost(result.values)[0] ?? Number.NaN),
      );
      computed.catch(() => {});
      of(1)?.answer(1); // shard 1, if any: replica 2 is to compute it, too
      await settled();
      await pass(100);
      of(1)?.answer(0.25);
      await settled();
      await pass(40);
      starter.calls.findLast(({ shard }) => shard.shard === 0)?.answer(0.25);
      await settled();
      expect([values, observed.faults]).toEqual([[0.25], []]);
      expect(of(0)?.shard.shard).toBe(0);
      return { observed, values, late: of(0) };
    }

    it.each<[string, number | GanglionError, string[]]>([
      ['and replaces who gave it', 0.5, ['its result has other bits than two others']],
      ['also one that cannot be added', bad('loss is NaN'), ['loss is NaN, where others have none']],
      ['and keeps who is right', 0.25, []],
    ])('%s', async (_, answer, faults) => {
      const { observed, values, late } = await decided({ isOver: false });
      if (typeof answer === 'number') late?.answer(answer);
      else late?.fail(answer);
      await settled();
      expect(values).toEqual([0.25]);
      expect(observed.faults.map(({ message }) => message)).toEqual(
        faults.map((what) => `replica 0 failed on step 5, generator phase, shard 0: ${what}`),
      );
    });

    it('not when its call is over: the parameters may have changed meanwhile', async () => {
      const { observed, late } = await decided({ isOver: true });
      late?.answer(0.5);
      await settled();
      expect(observed.faults).toEqual([]);
    });
  });

  it('ends the run when five answers all differ', async () => {
    const { starter, computed } = await audited(2, 1);
    for (let i = 0; i < 5; i++) {
      starter.next().answer(i);
      await settled();
    }
    await expect(computed).rejects.toMatchObject({ code: 'faults' });
  });

  it('takes the share of the shards that is asked for', async () => {
    for (const share of [0, 0.1, 0.25, 0.5, 1]) {
      const { starter, observed, computed } = await audited(2, 400, share);
      await starter.answerAll();
      await computed;
      expect(Math.abs(observed.audits.length - 400 * share)).toBeLessThanOrEqual(2);
      const firsts = observed.audits.filter((shard) => shard % 4 === 0).length;
      expect(Math.abs(firsts - observed.audits.length / 4)).toBeLessThanOrEqual(3); // not always the same of four
    }
  });
});
