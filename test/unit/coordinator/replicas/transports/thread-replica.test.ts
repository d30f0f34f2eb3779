import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
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
