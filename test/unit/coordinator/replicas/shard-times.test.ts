import { expect, it } from 'vitest';
import { ShardTimes } from '../../../../coordinator/replicas/shard-times.ts';

it('gives the median of every pass, once there is one', () => {
  const times = new ShardTimes();
  expect(times.median('real')).toBeUndefined();
  for (const ms of [30, 1, 2]) times.add('real', ms);
  times.add('fake', 7);
  expect([times.median('real'), times.median('fake'), times.median('generator')]).toEqual([2, 7, undefined]);
});

it('gives a mean that moves by a sixteenth of the way to every new time, 1 before the first', () => {
  const times = new ShardTimes();
  times.add('real', 32);
  times.add('real', 16);
  expect([times.mean('real'), times.mean('fake')]).toEqual([31, 1]);
});

it('follows the newest times', () => {
  const times = new ShardTimes();
  for (let i = 0; i < 100; i++) times.add('real', 10);
  for (let i = 0; i < 32; i++) times.add('real', 50);
  expect(times.median('real')).toBe(50);
});

it('says from when on a shard is late, and given up, in terms of the usual time', () => {
  const times = new ShardTimes();
  expect([times.lateAfterMs('real'), times.deadlineMs('real'), times.deadlineMs(undefined)]).toEqual([
    Number.POSITIVE_INFINITY,
    120_000,
    120_000,
  ]);
  times.add('real', 10);
  times.add('fake', 1000);
  expect([times.lateAfterMs('real'), times.deadlineMs('real')]).toEqual([80, 10_000]); // 3 x 10 + 50; at least 10 s
  expect([times.lateAfterMs('fake'), times.deadlineMs('fake')]).toEqual([3050, 50_000]);
  expect(times.deadlineMs(undefined)).toBe(120_000);
});
