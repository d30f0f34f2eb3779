import { setTimeout as delay } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { Loss } from '../../../dashboards/explorer/loss.ts';

const never = new Promise<never>(() => {});

it('gives what the work gives, or its error', async () => {
  const loss = new Loss();
  expect(await loss.unless(Promise.resolve(3))).toBe(3);
  await expect(loss.unless(Promise.reject(new Error('wrong')))).rejects.toThrow('wrong');
});

it('ends the work under way, and all that comes later, with the first loss', async () => {
  const loss = new Loss();
  const waiting = loss.unless(never);
  loss.happened(new Error('gone'));
  loss.happened(new Error('again'));
  await expect(waiting).rejects.toThrow('gone');
  await expect(loss.unless(never)).rejects.toThrow('gone');
  await expect(loss.unless(Promise.reject(new Error('wrong')))).rejects.toThrow('gone');
});

it('keeps no result', async () => {
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  const loss = new Loss();
  const draw = async (): Promise<WeakRef<object>> => new WeakRef(await loss.unless(Promise.resolve({})));
  const images = await Promise.all([draw(), draw()]);
  await delay(1);
  collect();
  expect(images.map((image) => image.deref())).toEqual([undefined, undefined]);
});
