// workers/engines/tfjs/wasm.ts: what it does to the process, and where memory ends. That it computes: test/unit/workers/engines/portable-passes.test.ts.
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { createEngine } from '../../../../../workers/engines/engines.ts';

it('leaves no listener on the process, also when it is loaded again', async () => {
  const listeners = () => process.listenerCount('uncaughtException') + process.listenerCount('unhandledRejection');
  const before = listeners();
  expect((await createEngine('wasm')).name).toBe('tfjs-wasm');
  expect((await createEngine('wasm')).name).toBe('tfjs-wasm');
  expect(listeners()).toBe(before);
});

it('says so when there is no memory left, instead of writing over other tensors', async () => {
  await createEngine('wasm');
  const half = () => tf.backend().write(null as never, [2 ** 29], 'float32'); // 2 GiB that nobody touches
  const message = expect.stringMatching(
    /^WebAssembly has no memory left \(\d\.\d GiB\): expected fewer images at a time/,
  );
  expect(() => [half(), half()]).toThrow(expect.objectContaining({ code: 'environment', message }));
});
