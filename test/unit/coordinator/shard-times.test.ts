import { expect, it } from 'vitest';
import { ShardTimes } from '../../../coordinator/shard-times.ts';

it('gives the median of every pass, once there is one', () => {
  const times = new ShardTimes();
  expect(times.median('real')).toBeUndefined();
  for (const ms of [30, 1, 2]) times.add('real', ms);
  times.add('fake', 7);
  expect([times.median('real'), times.median('fake'), times.median('generator')]).toEqual([2, 7, undefined]);
});

it('follows the newest times', () => {
  const times = new ShardTimes();
  for (let i = 0; i < 100; i++) times.add('real', 10);
  for (let i = 0; i < 32; i++) times.add('real', 50);
  expect(times.median('real')).toBe(50);
});
