import { expect, it } from 'vitest';
import { toHost } from '../../../../../coordinator/replicas/replica.ts';
import { MemoryPool } from '../../../../../coordinator/replicas/transports/thread-memory.ts';
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
