// Which outcomes a replica sends together, and when.
import { MessageChannel } from 'node:worker_threads';
import { afterEach, expect, it } from 'vitest';
import type { Pass } from '../../../../shared/model/layout.ts';
import type { ShardJob, ShardOutcome } from '../../../../shared/protocol.ts';
import { SerialQueue } from '../../../../workers/replica/serial-queue.ts';
import { serveShards } from '../../../../workers/replica/shard-server.ts';

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

/** A server whose every shard takes `passMs` by its clock; when it `waits`, until the test lets it go. */
function createServer({ waits = false, passMs = 0, together = 1, hasImages = false } = {}) {
  const { port1, port2 } = new MessageChannel();
  const begun = new Int32Array(1);
  const images = Uint8Array.from({ length: 6 * 784 }, (_, i) => Math.floor(i / 784));
  const indices = [0, 1, 2, 3].map((slot) => Uint32Array.of(slot, slot + 2));
  const computed: ShardJob[] = [];
  const waiting: (() => void)[] = [];
  const queue = new SerialQueue();
  let clock = 0;
  const compute = async (job: ShardJob): Promise<ShardOutcome> => {
    computed.push(job);
    clock += passMs;
    if (waits) await new Promise<void>((go) => waiting.push(go));
    const { step, pass, shard } = job;
    return { ok: true, step, pass, shard, seconds: { start: 0, prepare: 0, compute: 0, copy: 0 }, tensors: 0 };
  };
  const begunTogether: string[] = [];
  const begin = (jobs: readonly ShardJob[], onBegun?: (mark: number) => void) => {
    begunTogether.push(jobs.map(({ pass, shard }) => `${pass} ${shard}`).join(', '));
    onBegun?.(begunTogether.length);
    return () => finish(jobs);
  };
  const finish = async (jobs: readonly ShardJob[]) => {
    const outcomes: ShardOutcome[] = [];
    for (const job of jobs) outcomes.push(await compute(job));
    return outcomes;
  };
  serveShards(
    { port: port2, images, imageSize: 784, indices, begun },
    { begin, hasImages: () => hasImages, together: () => together },
    queue,
    () => clock,
  );
  const messages: string[][] = [];
  port1.on('message', (outcomes: { pass: Pass; shard?: number; slot?: number; mark?: number }[]) =>
    messages.push(
      outcomes.map(({ pass, shard, slot, mark }) => (mark ? `${pass} ${slot} by ${mark}` : `${pass} ${shard}`)),
    ),
  );
  closing.push(() => port1.close());
  const send = (...jobs: (readonly [Pass, number, ahead?: boolean])[]) =>
    port1.postMessage(jobs.map(([pass, shard, ahead]) => ({ step: 1, pass, shard, slot: shard, ahead })));
  return { messages, begun, begunTogether, computed, waiting, queue, send, port1 };
}

const idle = () => new Promise((resolve) => setTimeout(resolve, 20));

it('sends two outcomes of a pass at once, one that is left by itself, and no pass with another', async () => {
  const { messages, send, begun } = createServer();
  send(['generator', 0], ['generator', 1], ['generator', 2], ['fake', 0], ['fake', 1], ['generator', 3]);
  await expect.poll(() => messages).toHaveLength(4);
  expect(messages).toEqual([['generator 0', 'generator 1'], ['generator 2'], ['fake 0', 'fake 1'], ['generator 3']]);
  expect(begun[0]).toBe(6);
});

it('gives passes over real images the pixels of the images that their slot names', async () => {
  const { computed, send, messages } = createServer();
  send(['real', 2], ['fake', 1]);
  await expect.poll(() => messages).toHaveLength(2);
  expect(computed.map(({ pixels }) => pixels?.map((image) => [image.length, ...new Set(image)]))).toEqual([
    [
      [784, 2],
      [784, 4],
    ],
    undefined,
  ]);
});

it('names the images that lie where they are computed by their numbers, in place of pixels', async () => {
  const { computed, send, messages } = createServer({ hasImages: true });
  send(['real', 2], ['fake', 1]);
  await expect.poll(() => messages).toHaveLength(2);
  expect(computed.map(({ pixels, images }) => [pixels, images])).toEqual([
    [undefined, Uint32Array.of(2, 4)],
    [undefined, undefined],
  ]);
});

it('begins at once what it computes together, of one pass each, and answers in that order', async () => {
  const { messages, waiting, begun, begunTogether, send } = createServer({ waits: true, together: 2 });
  send(['generator', 0], ['generator', 1], ['generator', 2], ['real', 0]);
  send(['fake', 3]);
  await expect.poll(() => begunTogether).toHaveLength(4);
  expect(begunTogether).toEqual(['generator 0, generator 1', 'generator 2', 'real 0', 'fake 3']);
  await expect.poll(() => waiting).toHaveLength(1);
  expect(begun[0]).toBe(1);
  for (let i = 0; i < 5; i++) {
    await expect.poll(() => waiting).toHaveLength(i + 1);
    waiting[i]?.();
  }
  await expect.poll(() => messages).toHaveLength(4);
  expect(messages).toEqual([['generator 0', 'generator 1'], ['generator 2'], ['real 0'], ['fake 3']]);
  expect(begun[0]).toBe(5);
});

it('tells what may be ahead that it is on its way, by one message; outcomes of real images then go with the next', async () => {
  const { messages, waiting, begunTogether, send } = createServer({ waits: true, together: 2 });
  send(['generator', 0, true], ['generator', 1, true], ['real', 0, true], ['real', 1]);
  send(['fake', 0, true]);
  await expect.poll(() => messages).toEqual([['generator 0 by 1', 'generator 1 by 1', 'real 0 by 2'], ['fake 0 by 4']]);
  expect(begunTogether).toEqual(['generator 0, generator 1', 'real 0', 'real 1', 'fake 0']);
  for (let i = 0; i < 5; i++) {
    await expect.poll(() => waiting).toHaveLength(i + 1);
    waiting[i]?.();
  }
  await expect.poll(() => messages).toHaveLength(5);
  expect(messages.slice(2)).toEqual([['generator 0', 'generator 1'], ['real 0', 'real 1'], ['fake 0']]);
  send(['real', 3, true]);
  await expect.poll(() => waiting).toHaveLength(6);
  waiting[5]?.();
  await expect.poll(() => messages.slice(5)).toEqual([['real 3 by 5'], ['real 3']]);
});

it('counts a shard as begun before it is computed', async () => {
  const { begun, waiting, send } = createServer({ waits: true });
  send(['generator', 0], ['generator', 1]);
  await expect.poll(() => waiting).toHaveLength(1);
  expect(begun[0]).toBe(1);
  waiting[0]?.();
  await expect.poll(() => waiting).toHaveLength(2);
  expect(begun[0]).toBe(2);
  waiting[1]?.();
});

it('sends outcomes of real images that end a message with the next, in order', async () => {
  const { messages, waiting, send } = createServer({ waits: true });
  send(['generator', 0], ['real', 0], ['real', 1]);
  send(['fake', 0], ['fake', 1]);
  for (let i = 0; i < 5; i++) {
    await expect.poll(() => waiting).toHaveLength(i + 1);
    if (i === 4) expect(messages).toEqual([['generator 0']]);
    waiting[i]?.();
  }
  await expect.poll(() => messages).toHaveLength(2);
  expect(messages[1]).toEqual(['real 0', 'real 1', 'fake 0', 'fake 1']);
});

it('sends them by themselves when there is nothing to do, and at once when more of them follow', async () => {
  const { messages, send } = createServer();
  send(['real', 0], ['real', 1], ['real', 2]);
  await idle();
  expect(messages).toEqual([['real 0', 'real 1'], ['real 2']]);
  send(['fake', 0]);
  await expect.poll(() => messages).toHaveLength(3);
  expect(messages[2]).toEqual(['fake 0']);
});

it('sends them before more real images, so that others can be handed out meanwhile', async () => {
  const { messages, waiting, send } = createServer({ waits: true });
  send(['real', 0]);
  send(['real', 1]);
  await expect.poll(() => waiting).toHaveLength(1);
  waiting[0]?.();
  await expect.poll(() => messages).toEqual([['real 0']]);
  expect(waiting).toHaveLength(2);
  waiting[1]?.();
});

it('sends them also while other calls wait', async () => {
  const { messages, waiting, queue, send } = createServer({ waits: true });
  send(['real', 0]);
  await expect.poll(() => waiting).toHaveLength(1);
  const others = [1, 2, 3].map(() => queue.run(async () => {}));
  waiting[0]?.();
  await Promise.all(others);
  await expect.poll(() => messages).toEqual([['real 0']]);
});

it('sends every outcome of a slow pass at once', async () => {
  const { messages, send } = createServer({ passMs: 12 });
  send(['real', 0], ['real', 1]);
  send(['fake', 0], ['fake', 1]);
  await expect.poll(() => messages).toHaveLength(4);
  expect(messages).toEqual([['real 0'], ['real 1'], ['fake 0'], ['fake 1']]);
});

it('computes in turn with other calls', async () => {
  const { computed, waiting, queue, send } = createServer({ waits: true });
  send(['fake', 0]);
  await expect.poll(() => waiting).toHaveLength(1);
  let stopped = false;
  const stop = queue.run(async () => {
    stopped = true;
  });
  send(['fake', 1]);
  await idle();
  expect([stopped, computed.length]).toEqual([false, 1]);
  waiting[0]?.();
  await stop;
  await expect.poll(() => waiting).toHaveLength(2);
  waiting[1]?.();
});
