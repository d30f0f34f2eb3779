import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { MemoryPool, type ThreadMemory } from '../../../../../coordinator/replicas/transports/thread-memory.ts';
import { startThreadReplica } from '../../../../../coordinator/replicas/transports/thread-replica.ts';
import { dcgan28 } from '../../../../../shared/model/spec.ts';

it('ends a thread that was stuck when it was to stop as soon as it comes to itself', async () => {
  const generator = new Float32Array(new SharedArrayBuffer(4));
  const parameters = { generator, discriminator: new Float32Array(new SharedArrayBuffer(4)) };
  const entry = new URL('../../../../fixtures/waking-thread.mjs', import.meta.url);
  const setup = { backend: 'cpu' as const, shardSize: 2, spec: dcgan28(1), seed: 1, shards: 1, parameters };
  const replica = await startThreadReplica(0, { entry, setup, images: new Uint8Array(), deadlineMs: 5_000 });
  await expect.poll(() => generator[0]).toBeGreaterThan(2);
  const startedMs = performance.now();
  await replica.stop(); // gives up after 5 s
  await delay(7_000 - (performance.now() - startedMs));
  const [count] = generator;
  await delay(200);
  expect(generator[0]).toBe(count);
});

it.each([false, true])(
  'gives the memory of a thread that has ended back, where nothing may write to it late: %s',
  async (late) => {
    const given: ThreadMemory[] = [];
    class Watched extends MemoryPool {
      override give(memory: ThreadMemory): void {
        given.push(memory);
      }
    }
    const parameters = { generator: new Float32Array(), discriminator: new Float32Array() };
    const setup = { backend: 'cuda' as const, shardSize: 2, spec: dcgan28(1), seed: 1, shards: 1, parameters };
    const pool = new Watched(setup.spec, setup.shardSize);
    const entry = new URL('data:text/javascript,'); // ends at once
    const options = { entry, setup, images: new Uint8Array(), deadlineMs: 5_000, pool, mayWriteLate: () => late };
    await expect(startThreadReplica(0, options)).rejects.toThrow('ended with exit code 0');
    expect(given.length).toBe(late ? 0 : 1);
  },
);
