// The scheduler by tables: members and tasks in, assignments out.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { MemberState } from '../../../../coordinator/replicas/member-state.ts';
import { assign, assist, canBeDecided, isOverdue, isStraggler } from '../../../../coordinator/replicas/scheduler.ts';
import { SHARDS_IN_HAND, SHARDS_OF_CALL } from '../../../../shared/flow.ts';
import type { Pass } from '../../../../shared/model/layout.ts';
import {
  assigned,
  createCall,
  createMember,
  createSample,
  createShard,
  give,
  inWords,
  shardsOf,
  times,
  vote,
} from './scheduling.ts';

describe('assign', () => {
  it('gives one that computes four at once all of two passes, and no third', () => {
    const member = createMember(0);
    if (!member.replica) throw new Error('expected a replica');
    const replica = { ...member.replica, ready: { ...member.replica.ready, together: 4 } };
    const waiting = [...shardsOf('generator', 4), ...shardsOf('real', 4, 2), ...shardsOf('fake', 4, 2)];
    expect(assigned([{ ...member, replica }], waiting)).toEqual(
      waiting.slice(0, 8).map((task) => `0 ${inWords(task)}`),
    );
  });

  it('gives each replica one shard before any a second, and at most three of a call', () => {
    const members = [createMember(0), createMember(1)];
    expect(assigned(members, shardsOf('fake', 9))).toEqual([
      '0 fake 1.0',
      '1 fake 1.1',
      '0 fake 1.2',
      '1 fake 1.3',
      '0 fake 1.4',
      '1 fake 1.5',
    ]);
  });

  it.each<[MemberState, boolean]>([
    ['waiting', false],
    ['starting', false],
    ['ready', true],
    ['lost', false],
    ['draining', false],
    ['gone', false],
  ])('to a replica that is %s: %s', (state, isGiven) => {
    expect(assigned([createMember(0, state)], [createSample(), ...shardsOf('fake', 1)])).toEqual(
      isGiven ? ['0 sample', '0 fake 1.0'] : [],
    );
  });

  it('changes nothing itself', () => {
    const member = createMember(0);
    const waiting = shardsOf('fake', 2);
    expect(assigned([member], waiting)).toEqual(assigned([member], waiting));
    expect([member.assignments, waiting.map(({ running }) => running)]).toEqual([[], [0, 0]]);
  });

  it('fills the hands of a replica with shards of several calls, no more than five', () => {
    const waiting = [...shardsOf('generator', 3), ...shardsOf('fake', 3, 2), ...shardsOf('fake', 3, 3)];
    expect(assigned([createMember(0)], waiting)).toEqual([
      '0 generator 1.0',
      '0 generator 1.1',
      '0 generator 1.2',
      '0 fake 2.0',
      '0 fake 2.1',
    ]);
  });

  it('lets no shard of a later call overtake one that waits for room', () => {
    const waiting = [...shardsOf('generator', 4), ...shardsOf('fake', 1, 2)];
    expect(assigned([createMember(0)], waiting)).toEqual(['0 generator 1.0', '0 generator 1.1', '0 generator 1.2']);
  });

  it.each([
    [2, ['0 real 1.0']],
    [3, []],
  ])('with %i shards in hand gives %j of real images', (count, expected) => {
    const member = createMember(0);
    give(member, shardsOf('generator', count, 0));
    expect(assigned([member], shardsOf('real', 2))).toEqual(expected);
  });

  it.each([
    [2, ['0 sample']],
    [3, []],
  ])('with %i shards in hand gives %j of samples', (count, expected) => {
    const member = createMember(0);
    give(member, shardsOf('fake', count));
    expect(assigned([member], [createSample()])).toEqual(expected);
  });

  it.each([
    ['who is idle', [], ['fake'], 0, '0'],
    ['who has less to do', ['generator'], ['fake'], 0, '1'],
    ['who has less left', ['generator'], ['fake', 'fake'], 2, '0'],
    ['who has fewer shards, of equal times', ['fake', 'fake'], ['generator'], 0, '1'],
    ['not who is overdue', ['fake'], ['fake', 'fake'], 5, '1'],
  ] as const)('chooses %s', (_, first, second, nowMs, chosen) => {
    const members = [createMember(0), createMember(1)];
    for (const [i, passes] of [first, second].entries()) {
      const member = members[i];
      if (member)
        give(
          member,
          passes.map((pass, shard) => createShard(pass, shard)),
        );
    }
    const [proposal] = assign({ members, times, nowMs }, shardsOf('fake', 1));
    expect(String(proposal?.member.id)).toBe(chosen);
  });

  it('gives the generator pass of a shard to who computed its fake pass, the newest first; without one in order', () => {
    const members = [createMember(0), createMember(1)];
    members[0]?.fakePasses.shards.push(0, 2);
    members[1]?.fakePasses.shards.push(1, 3);
    for (const { fakePasses } of members) fakePasses.step = 1;
    expect(assigned(members, shardsOf('generator', 4))).toEqual([
      '0 generator 1.2',
      '1 generator 1.3',
      '0 generator 1.0',
      '1 generator 1.1',
    ]);
    expect(assigned(members, shardsOf('generator', 2, 2))).toEqual(['0 generator 2.0', '1 generator 2.1']);
    members[1]?.fakePasses.shards.splice(0);
    expect(assigned(members.slice(1), shardsOf('generator', 2))).toEqual(['1 generator 1.0', '1 generator 1.1']);
  });

  it('gives no replica a shard that it has in hand', () => {
    const member = createMember(0);
    const [shard] = shardsOf('fake', 1);
    if (shard) give(member, [shard]);
    expect(assigned([member], shard ? [shard] : [])).toEqual([]);
  });
});

describe('a shard that replica 0 has answered', () => {
  const bad = { bad: 'x is NaN' };
  it.each<[what: string, answers: (number | typeof bad)[], other: MemberState | 'late' | 'none', expected: string[]]>([
    ['goes to the other', [1], 'ready', ['1']],
    ['goes to replica 0 where there is no other', [1], 'none', ['0']],
    ['goes to replica 0 while the other starts, if it is an audit', [1], 'starting', ['0']],
    ['waits for the other to start, if it is bad', [bad], 'starting', []],
    ['goes to replica 0 while the other is late, if it is an audit', [1], 'late', ['0']],
    ['waits for the other when that is late, if it is bad', [bad], 'late', []],
    ['does not wait for one that drains', [bad], 'draining', ['0']],
    ['waits for the other when replica 0 repeats its answer', [1, 1], 'starting', []],
  ])('%s', (_, answers, other, expected) => {
    const first = createMember(0);
    const members = [first];
    const task = createShard('fake', 0);
    for (const answer of answers) vote(first, answer, task);
    if (other !== 'none') {
      const second = createMember(1, other === 'late' ? 'ready' : other);
      if (other === 'late') give(second, shardsOf('fake', 5));
      members.push(second);
    }
    const proposals = assign({ members, times, nowMs: 200 }, [task]);
    expect(proposals.map(({ member }) => String(member.id))).toEqual(expected);
  });

  it('can be decided while some replica does not repeat its answer', () => {
    const members = [createMember(0), createMember(1)];
    const task = createShard('fake', 0);
    for (const member of members) for (const _ of [0, 1]) vote(member, member.id, task);
    expect(canBeDecided(task, members)).toBe(false);
    expect(canBeDecided(task, [...members, createMember(2, 'starting')])).toBe(true);
    expect(canBeDecided(task, [...members, createMember(2, 'draining')])).toBe(false);
  });
});

describe('lateness', () => {
  it.each([
    [62, false, false], // 3 * 4 ms + 50 ms
    [63, true, false],
    [10_001, true, true],
  ])('%i ms after the start of a shard: straggler %s, overdue %s', (nowMs, straggler, overdue) => {
    const member = createMember(0);
    const situation = { members: [member], times, nowMs };
    expect([isStraggler(situation, member), isOverdue(situation, member)]).toEqual([false, false]); // idle
    give(member, shardsOf('generator', 2));
    expect([isStraggler(situation, member), isOverdue(situation, member)]).toEqual([straggler, overdue]);
  });

  it.each([
    ['all replicas, is none', [100, 100], 150, false],
    ['all replicas, but much later, is one', [100, 100], 151, true],
    ['itself alone, is one', [100, 1], 63, true],
    ['another one alone, is one', [1, 100], 63, true],
  ])('a shard as late as lately %s', (_, [own = 0, others = 0], nowMs, straggler) => {
    const [member, other] = [createMember(0), createMember(1)];
    const lately = (ms: number): number[] => [...Array(100).fill(1), ms, ms, ms];
    member.shardMs.push(...lately(own));
    other.shardMs.push(...lately(others));
    give(member, shardsOf('generator', 1));
    expect(isStraggler({ members: [member, other], times, nowMs }, member)).toBe(straggler);
    other.shardMs.splice(0, 101); // two of its times may have been chance
    expect(isStraggler({ members: [member, other], times, nowMs: 63 }, member)).toBe(true);
  });

  it('assist gives the shards of a straggler to idle replicas, the current one first, none to a third', () => {
    const straggler = createMember(0);
    const tasks = shardsOf('fake', 3);
    give(straggler, tasks);
    Object.assign(straggler.replica ?? {}, { computed: 1 });
    const busy = createMember(1);
    give(busy, shardsOf('generator', 1), 100);
    const idle = [2, 3, 4].map((id) => createMember(id));
    const members = [straggler, busy, ...idle, createMember(5, 'starting')];
    const proposed = (nowMs: number) =>
      assist({ members, times, nowMs }).map(
        (each) => `${each.member.id} ${inWords(each.task)} of ${each.straggler.id}`,
      );
    expect(proposed(50)).toEqual([]);
    expect(proposed(100)).toEqual(['2 fake 1.1 of 0', '3 fake 1.0 of 0', '4 fake 1.2 of 0']);
    if (tasks[0] && tasks[2]) {
      tasks[0].running = 2;
      tasks[2].done = true;
    }
    expect(proposed(100)).toEqual(['2 fake 1.1 of 0']);
    give(createMember(9), tasks.slice(1, 2));
    expect(proposed(100)).toEqual([]);
  });
});

it('whatever is in hand: no hand is overfull, no task is assigned twice, and no idle replica waits beside a shard', () => {
  const pass = fc.constantFrom<Pass>('real', 'fake', 'generator');
  const state = fc.constantFrom<MemberState>('ready', 'ready', 'ready', 'starting', 'lost', 'draining');
  fc.assert(
    fc.property(
      fc.array(fc.record({ state, held: fc.array(pass, { maxLength: 3 }), sinceMs: fc.nat(300) }), {
        minLength: 1,
        maxLength: 5,
      }),
      fc.array(fc.record({ pass, shards: fc.integer({ min: 1, max: 8 }) }), { maxLength: 4 }),
      fc.nat(1),
      (hands, calls, samples) => {
        const members = hands.map(({ state: life, held, sinceMs }, id) => {
          const member = createMember(id, life);
          give(
            member,
            held.map((each, shard) => createShard(each, shard, createCall(), 0)),
            sinceMs,
          );
          return member;
        });
        const waiting = [
          ...Array.from({ length: samples }, createSample),
          ...calls.flatMap(({ pass: each, shards }, step) => shardsOf(each, shards, step + 1)),
        ];
        const proposals = assign({ members, times, nowMs: 300 }, waiting);
        expect(new Set(proposals.map(({ task }) => task)).size).toBe(proposals.length);
        for (const { member, task } of proposals) {
          expect(member.state).toBe('ready');
          give(member, [task], 300);
        }
        for (const member of members.filter(({ state: life }) => life === 'ready')) {
          expect(member.assignments.length).toBeLessThanOrEqual(SHARDS_IN_HAND);
          const callsInHand = member.assignments.flatMap(({ task }) => (task.kind === 'shard' ? [task.call] : []));
          for (const call of callsInHand) {
            expect(callsInHand.filter((each) => each === call).length).toBeLessThanOrEqual(SHARDS_OF_CALL);
          }
          if (proposals.length < waiting.length) expect(member.assignments.length).toBeGreaterThan(0);
        }
      },
    ),
  );
});
