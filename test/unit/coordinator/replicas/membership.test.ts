// Starts, restarts and resizes, without any shard; its end: membership-stop.test.ts.
import { expect, it } from 'vitest';
import { ARITHMETIC } from '../../../../shared/arithmetic.ts';
import { GanglionError } from '../../../../shared/error.ts';
import { pass, useFakeTime } from './fake-time.ts';
import { create, lost } from './made-up-membership.ts';
import { settled } from './stub-replicas.ts';

useFakeTime();

it('starts one after another', async () => {
  const { membership, starter, states, holdStarts } = create(3);
  const next = holdStarts();
  const started = membership.start();
  const seen: unknown[] = [];
  for (let i = 0; i < 3; i++) {
    await pass(0);
    seen.push(states());
    next();
  }
  await started;
  expect(seen).toEqual([
    { 0: 'starting', 1: 'waiting', 2: 'waiting' },
    { 0: 'ready', 1: 'starting', 2: 'waiting' },
    { 0: 'ready', 1: 'ready', 2: 'starting' },
  ]);
  expect([starter.mostAtOnce, membership.size, membership.restarts]).toEqual([1, 3, 0]);
});

it('replaces a lost replica when it has ended and its delay is over', async () => {
  const { membership, starter, events, states, member } = create(2);
  await membership.start();
  let end = (): void => {};
  const [first] = starter.started;
  if (first) first.onStop = () => new Promise((resolve) => (end = resolve));
  membership.lose(member(0), lost());
  expect([states()[0], member(0).replica]).toEqual(['lost', undefined]);
  await pass(1_000);
  expect(states()[0]).toBe('lost');
  end();
  await pass(49);
  expect(states()[0]).toBe('waiting');
  await pass(10);
  expect(states()[0]).toBe('ready');
  expect(events).toEqual(['lost 0: it ended', 'restarted 0']);
  expect(member(0)).toMatchObject({ restarts: 1, failures: 1 });
});

it('does not wait for the end of a replica that gives no answer', async () => {
  const { membership, starter, states, member } = create(1);
  await membership.start();
  const [stuck] = starter.started;
  if (stuck) stuck.onStop = () => new Promise(() => {});
  membership.lose(member(0), new GanglionError('replica', 'no answer', { reason: 'deadline' }));
  expect(states()).toEqual({ 0: 'waiting' });
  await pass(60);
  expect(states()).toEqual({ 0: 'ready' });
});

it('counts a start that fails as a loss, and starts again later', async () => {
  const { membership, starter, events, states, member } = create(1);
  await membership.start();
  starter.beforeStart = async (_, attempt) => {
    if (attempt < 4) throw new Error('no memory');
  };
  membership.lose(member(0), lost());
  const attempts: number[] = [];
  for (const ms of [60, 110, 210]) {
    await pass(ms);
    attempts.push(starter.attempts);
  }
  expect(attempts).toEqual([2, 3, 4]);
  expect(states()).toEqual({ 0: 'ready' });
  expect(events).toEqual([
    'lost 0: it ended',
    'lost 0: replica 0 failed: no memory',
    'lost 0: replica 0 failed: no memory',
    'restarted 0',
  ]);
});

it('gives up after too many losses, and starts nothing more', async () => {
  const { membership, starter, events, states, member } = create(2, 1);
  await membership.start();
  membership.lose(member(0), lost());
  await pass(60);
  membership.lose(member(1), lost());
  expect(events).toEqual(['lost 0: it ended', 'restarted 0', 'lost 1: it ended', 'gave up: 2 replicas lost']);
  membership.lose(member(0), lost()); // no news after the end
  await pass(60_000);
  expect([starter.attempts, events.length, states()]).toEqual([3, 4, { 0: 'ready', 1: 'lost' }]);
  await membership.stop();
  expect(states()).toEqual({ 0: 'gone', 1: 'gone' });
});

it('refuses a replica that computes with something else than the first one, and ends it', async () => {
  const { membership, starter } = create(2);
  starter.onStarted = () => {
    starter.computing = { libraryVersion: '9' };
  };
  await expect(membership.start()).rejects.toMatchObject({
    code: 'environment',
    message: 'replica 1 computes on stub 9, expected stub 1.2, as the others',
  });
  expect(starter.started[1]?.stopped).toBe(true);
});

it('takes engines of one arithmetic together, whatever they are, and refuses another number', async () => {
  const together = create(2);
  together.starter.computing = { arithmetic: ARITHMETIC };
  together.starter.onStarted = () => {
    together.starter.computing = { engine: 'other', libraryVersion: '9', arithmetic: ARITHMETIC };
  };
  await together.membership.start();
  expect(together.states()).toEqual({ 0: 'ready', 1: 'ready' });

  for (const [first, second, message] of [
    [ARITHMETIC, 3, `replica 1 computes on arithmetic 3, expected arithmetic ${ARITHMETIC}, as the others`],
    [3, 3, `replica 0 computes on arithmetic 3, expected arithmetic ${ARITHMETIC}, as the others`],
    [undefined, ARITHMETIC, `replica 1 computes on arithmetic ${ARITHMETIC}, expected stub 1.2, as the others`],
  ] as const) {
    const { membership, starter } = create(2);
    starter.computing = first === undefined ? {} : { arithmetic: first };
    starter.onStarted = () => {
      starter.computing = { arithmetic: second };
    };
    await expect(membership.start()).rejects.toMatchObject({ code: 'environment', message });
  }
});

it('drains a busy replica until it has finished its work', async () => {
  const { membership, starter, busy, states, member } = create(3);
  await membership.start();
  busy.add(2);
  membership.resize(1);
  expect(states()).toEqual({ 0: 'ready', 2: 'draining' });
  await settled();
  expect([membership.size, starter.started.map(({ stopped }) => stopped)]).toEqual([1, [false, true, false]]);
  const drained = member(2);
  membership.endIfDrained(drained); // busy still
  expect(states()).toEqual({ 0: 'ready', 2: 'draining' });
  busy.clear();
  membership.endIfDrained(drained);
  expect([drained.state, states()]).toEqual(['gone', { 0: 'ready' }]);
  await settled();
  expect(starter.started[2]?.stopped).toBe(true);
});

it('does not replace a draining replica that fails', async () => {
  const { membership, starter, busy, states, member } = create(2);
  await membership.start();
  busy.add(1);
  membership.resize(1);
  membership.lose(member(1), lost());
  await pass(60_000);
  expect([states(), starter.attempts, membership.restarts]).toEqual([{ 0: 'ready' }, 2, 0]);
});

it.each([
  ['that waits for its start: it never starts', 0, 'waiting', 1],
  ['whose start is under way: it ends after that', 1, 'starting', 2],
])('resizes away a replica %s', async (_, letGo, before, attempts) => {
  const { membership, starter, states, holdStarts } = create(1);
  await membership.start();
  const next = holdStarts();
  membership.resize(2);
  if (letGo > 0) await pass(1);
  expect(states()[1]).toBe(before);
  membership.resize(1);
  await pass(1);
  next();
  await pass(1);
  expect(states()).toEqual({ 0: 'ready' });
  expect([starter.attempts, starter.started.slice(1).every(({ stopped }) => stopped)]).toEqual([attempts, true]);
});

it('resizes away a replica that is lost or whose start fails: it is not started again', async () => {
  const { membership, starter, events, states, member, holdStarts } = create(3);
  await membership.start();
  starter.beforeStart = () => Promise.reject(new Error('no memory'));
  membership.lose(member(2), lost());
  membership.resize(2);
  expect(states()).toEqual({ 0: 'ready', 1: 'ready' });
  await pass(60_000);
  expect(starter.attempts).toBe(3);
  const next = holdStarts();
  membership.resize(3);
  await pass(1);
  membership.resize(2);
  starter.onStarted = () => {
    throw new Error('no memory');
  };
  next();
  await pass(60_000);
  expect([states(), starter.attempts]).toEqual([{ 0: 'ready', 1: 'ready' }, 4]);
  expect(events).toEqual(['lost 2: it ended']);
});

it('fills the numbers that are free', async () => {
  const { membership, busy, states } = create(3);
  await membership.start();
  busy.add(2);
  membership.resize(1);
  membership.resize(3);
  expect(membership.members.map(({ id, state }) => [id, state])).toEqual([
    [0, 'ready'],
    [1, 'waiting'],
    [2, 'draining'],
    [3, 'waiting'],
  ]);
  await pass(1);
  expect(states()).toEqual({ 0: 'ready', 1: 'ready', 2: 'draining', 3: 'ready' });
});
