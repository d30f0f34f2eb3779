import { expect, it } from 'vitest';
import { toHost } from '../../../../../coordinator/replicas/replica.ts';
import { MemoryPool } from '../../../../../coordinator/replicas/transports/thread-memory.ts';
import type { DevicePlace, UpdateDevice } from '../../../../../shared/device-memory.ts';
import { RESULT_SLOTS } from '../../../../../shared/flow.ts';
import { dcgan28 } from '../../../../../shared/model/spec.ts';

it('has memory of one that has ended for the next, and other memory for two at once', () => {
  const pool = new MemoryPool(dcgan28(3), 5);
  const first = pool.take();
  expect(first.results.fake.map((values) => toHost(values).buffer instanceof SharedArrayBuffer)).toEqual(
    Array(RESULT_SLOTS).fill(true),
  );
  expect(first.indices.map(({ length }) => length)).toEqual(Array(RESULT_SLOTS).fill(5));
  const second = pool.take();
  expect(second.results.real[0]).not.toBe(first.results.real[0]);
  pool.give(first);
  expect(pool.take()).toBe(first);
});

it('takes no more of a device for each start that its memory is too full for', () => {
  let left = 4;
  let given = 0;
  const allocate = (length: number) => {
    if (left-- <= 0) throw new Error('out of memory');
    return { address: ++given, length };
  };
  const pool = new MemoryPool(dcgan28(3), 5, { allocate } as unknown as UpdateDevice);
  expect(() => pool.take()).toThrow('out of memory');
  expect(() => pool.take()).toThrow('out of memory');
  left = 100;
  const { results } = pool.take();
  const places = Object.values(results).flat();
  expect(given).toBe(places.length);
  expect(new Set(places.map((place) => (place as DevicePlace).address)).size).toBe(places.length);
});
