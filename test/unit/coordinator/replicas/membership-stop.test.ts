// The end of all replicas, also where a start is under way.
import { expect, it } from 'vitest';
import { pass, useFakeTime } from './fake-time.ts';
import { create, lost } from './made-up-membership.ts';
import { settled } from './stub-replicas.ts';

useFakeTime();

it('stops when the start under way has ended, and begins no other', async () => {
  const { membership, starter, states, holdStarts } = create(3);
  const next = holdStarts();
  const started = membership.start();
  await settled();
  let isStopped = false;
  const stopped = membership.stop().then(() => {
    isStopped = true;
  });
  await settled();
  expect([isStopped, states()]).toEqual([false, { 0: 'starting', 1: 'waiting', 2: 'waiting' }]);
  next();
  await Promise.all([started, stopped]);
  expect(states()).toEqual({ 0: 'gone', 1: 'gone', 2: 'gone' });
  expect([starter.attempts, starter.started.map((replica) => replica.stopped)]).toEqual([1, [true]]);
});

it('abandons a start that does not end in time when it stops', async () => {
  const { membership, starter, states } = create(1);
  await membership.start();
  const told: boolean[] = [];
  starter.beforeStart = (_id, _attempt, abandon) =>
    new Promise((_resolve, reject) => {
      abandon.addEventListener('abort', () => {
        told.push(true);
        reject(new Error('abandoned'));
      });
    });
  membership.resize(2);
  await pass(1);
  const stopped = membership.stop();
  await pass(4_000);
  expect([told, states()]).toEqual([[], { 0: 'ready', 1: 'starting' }]);
  await pass(1_500);
  await stopped;
  expect([told, states()]).toEqual([[true], { 0: 'gone', 1: 'gone' }]);
});

it('stops also when the start under way fails, or a restart waits for its delay', async () => {
  const { membership, starter, events, states, member, holdStarts } = create(2);
  await membership.start();
  membership.lose(member(1), lost());
  await pass(1);
  const next = holdStarts();
  membership.resize(3);
  await pass(1);
  expect(states()).toEqual({ 0: 'ready', 1: 'waiting', 2: 'starting' });
  const stopped = membership.stop();
  starter.onStarted = () => {
    throw new Error('no memory');
  };
  next();
  await stopped;
  expect(states()).toEqual({ 0: 'gone', 1: 'gone', 2: 'gone' });
  await pass(60_000);
  expect([starter.attempts, events]).toEqual([3, ['lost 1: it ended']]);
  await membership.stop(); // again: nothing to do
});
