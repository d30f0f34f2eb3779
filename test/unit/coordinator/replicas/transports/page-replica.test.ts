// A replica that a page lends, over a real WebSocket: the bits of the kernels, and everything that a page may send instead.
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { type Shard, toHost } from '../../../../../coordinator/replicas/replica.ts';
import {
  mostBytesFrom,
  type PageReplica,
  startPageReplica,
} from '../../../../../coordinator/replicas/transports/page-replica.ts';
import { LentReplica } from '../../../../../dashboards/lend/lent-replica.ts';
import { ARITHMETIC } from '../../../../../shared/arithmetic.ts';
import { GanglionError } from '../../../../../shared/error.ts';
import { encodeFrame, FrameDecoder } from '../../../../../shared/frame.ts';
import { initialise } from '../../../../../shared/model/initialise.ts';
import { layoutOf, type Net } from '../../../../../shared/model/layout.ts';
import { phaseVectorOf } from '../../../../../shared/model/phase-vector.ts';
import { dcgan28 } from '../../../../../shared/model/spec.ts';
import type { Answer, Request } from '../../../../../shared/process-protocol.ts';
import { toRequest } from '../../../../../shared/process-protocol.ts';
import { kernelRunner } from '../../../../../workers/engines/kernels/kernel-runner.ts';
import { ProgramEngine } from '../../../../../workers/engines/program-engine.ts';
import { loadWasm } from '../../../../../workers/engines/wasm/module.ts';
import { Replica } from '../../../../../workers/replica/replica.ts';

const spec = dcgan28(4);
const PAGE = 1000;
const IMAGES = Uint8Array.from({ length: 4 * 784 }, (_, i) => (i * 31) % 256);
const initial = (net: Net): Float32Array => {
  const values = new Float32Array(layoutOf(net, spec).parameterCount);
  initialise(net, spec, 1, values);
  return values;
};
const parameters = { generator: initial('generator'), discriminator: initial('discriminator') };
const setup = { backend: 'wasm' as const, shardSize: 2, spec, seed: 1, shards: 4, parameters };
const SHARDS: readonly Shard[] = [
  { step: 2, pass: 'real', shard: 1, images: Uint32Array.of(3, 1) },
  { step: 2, pass: 'fake', shard: 0 },
  { step: 2, pass: 'generator', shard: 3 },
];
const LENGTH = phaseVectorOf('generator', spec).length;

let server: WebSocketServer;
let client: WebSocket;
let socket: WebSocket;

beforeEach(async () => {
  server = new WebSocketServer({ port: 0, host: '127.0.0.1', maxPayload: mostBytesFrom(spec) });
  await once(server, 'listening');
  const address = server.address();
  client = new WebSocket(`ws://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/`);
  [[socket]] = await Promise.all([once(server, 'connection'), once(client, 'open')]);
});
afterEach(() => {
  client.terminate();
  server.close();
});

const start = (deadlineMs = 60_000): Promise<PageReplica> =>
  startPageReplica(PAGE, socket, { setup, images: IMAGES, deadlineMs });

/** Makes the client what a page's worker is. */
function lend(): void {
  const replica = new LentReplica({ kernels: loadWasm('fused').exports, send: (frame) => client.send(frame) });
  client.on('message', (data: Buffer) => void replica.take(data).catch(() => client.terminate()));
}

/** A client that answers the start, and then every call by what a test says. */
function pretend(answerTo: (request: Request & { readonly call: number }) => void): void {
  let request: Request | undefined;
  const decoder = new FrameDecoder({
    open(header, bodyBytes) {
      request = toRequest(header);
      return new Uint8Array(bodyBytes);
    },
    complete() {
      if (!request || request.kind === 'parameters') return;
      if (request.kind === 'start') client.send(frameOf(started(request.call)));
      else answerTo(request);
    },
  });
  client.on('message', (data: Buffer) => decoder.push(data));
}

const ready = {
  engine: `\u001b[31m${'x'.repeat(500)}`,
  libraryVersion: '1',
  arithmetic: ARITHMETIC,
  threadId: 0,
  pid: 0,
};
const started = (call: number): Answer => ({ kind: 'start', call, outcome: { ok: true, ready } });
const seconds = { start: 1e99, prepare: -5, compute: 1e9, copy: 0 };
const computed = (call: number, shard = 3): Answer => ({
  ...{ kind: 'compute', call },
  outcome: { ok: true, step: 2, pass: 'generator', shard, seconds, tensors: 9 },
});
const frameOf = (answer: Answer, values = new Float32Array()): Buffer =>
  Buffer.concat([encodeFrame(answer, values.byteLength), new Uint8Array(values.buffer)]);

describe('a page', () => {
  it('computes every pass to the bits of the kernels, with the parameters of that moment', async () => {
    const local = new ProgramEngine(kernelRunner());
    const result = (length: number): Float32Array[] => [new Float32Array(length)];
    const results = {
      real: result(phaseVectorOf('discriminator', spec).length),
      fake: result(phaseVectorOf('discriminator', spec).length),
      generator: result(LENGTH),
    };
    const replica = await Replica.start(local, { ...setup, replica: 0, results });
    lend();
    const page = await start();
    expect(page).toMatchObject({ id: PAGE, kind: 'page', ready: { engine: 'kernels-wasm', arithmetic: ARITHMETIC } });
    for (const shard of SHARDS) {
      const pixels = shard.images && [...shard.images].map((image) => IMAGES.subarray(image * 784, (image + 1) * 784));
      await replica.compute({ ...shard, slot: 0, ...(pixels ? { pixels } : {}) });
      const given = page.compute(shard);
      parameters.generator[0] = (parameters.generator[0] ?? 0) + 1; // what was sent is not changed
      const { values, release } = await given;
      parameters.generator[0] = (parameters.generator[0] ?? 0) - 1;
      expect(toHost(values)).toEqual(results[shard.pass][0]);
      release();
    }
    await page.stop(new GanglionError('replica', `replica ${PAGE} has done enough`));
  });

  it('is told why it is no longer wanted', async () => {
    lend();
    const page = await start();
    const closed = once(client, 'close');
    await page.stop(new GanglionError('replica', `replica ${PAGE} failed on a shard: ${'ö'.repeat(200)}`));
    const [code, reason] = await closed;
    expect([code, String(reason).startsWith('failed on a shard: ö'), reason.length <= 123]).toEqual([4000, true, true]);
    await expect(page.compute(SHARDS[2] as Shard)).rejects.toThrow('replica 1000 was ended');
  });

  it('says nothing of its times that counts, and its name is bounded', async () => {
    pretend(({ call }) => client.send(frameOf(computed(call), new Float32Array(LENGTH))));
    const page = await start();
    expect(page.ready.engine).toMatch(/^\\u001b\[31mx+…/);
    expect(page.ready.engine.length).toBeLessThan(50);
    const result = await page.compute(SHARDS[2] as Shard);
    expect(result.tensors).toBe(0);
    expect(result.seconds.prepare).toBe(0);
    expect(Math.abs(result.seconds.start - Date.now() / 1000)).toBeLessThan(600);
    expect(result.seconds.compute).toBeLessThan(600);
    await page.stop();
  });
});

describe('a page that', () => {
  const range = (value: number) => new Float32Array(LENGTH).fill(value, 5, 6);
  it.each<[what: string, send: (call: number) => void, message: RegExp]>([
    ['sends a text', () => client.send('{}'), /^replica 1000 .*sent a message that is text, expected a frame$/],
    ['sends what is no frame', () => client.send(Buffer.alloc(20)), /malformed frame: expected magic/],
    ['cuts a frame', (call) => client.send(frameOf(computed(call)).subarray(0, 30)), /ends within a frame/],
    ['sends too much', () => client.send(Buffer.alloc(mostBytesFrom(spec) + 1)), /broke the connection: Max payload/],
    [
      'answers another call',
      (call) => client.send(frameOf(computed(call + 1), range(0))),
      /expected the answer to call/,
    ],
    ['answers another shard', (call) => client.send(frameOf(computed(call, 2), range(0))), /gave a malformed answer/],
    ['gives too few values', (call) => client.send(frameOf(computed(call), new Float32Array(3))), /expected a body of/],
    ['gives a NaN', (call) => client.send(frameOf(computed(call), range(Number.NaN))), /not finite or too large/],
    ['gives too large a value', (call) => client.send(frameOf(computed(call), range(1e6))), /not finite or too large/],
    [
      'answers what nobody asked',
      (call) => {
        const frame = frameOf(computed(call), range(0));
        client.send(frame);
        client.send(frame);
      },
      /expected the answer to call undefined|has left/,
    ],
    ['says that it has crashed', () => client.send(frameOf(crashed)), /crashed: \\u001b\[31mred/],
    ['leaves in the middle of a shard', () => client.terminate(), /has left$/],
  ])('%s is gone, in one line', async (_, send, message) => {
    pretend(({ call }) => send(call));
    const page = await start();
    const told = await page.compute(SHARDS[2] as Shard).catch((error: GanglionError) => error);
    // What the group does with a page that has failed; one that has answered fails by what it sends after that.
    if (told instanceof GanglionError) await page.stop(told);
    const { message: why } = told instanceof GanglionError ? told : await page.lost;
    expect(why).toMatch(message);
    expect(why).not.toContain('\n');
    await page.stop();
    expect(socket.readyState).toBe(WebSocket.CLOSED);
  });

  it('says no more that it lives is gone', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    try {
      pretend(() => {});
      const page = await start();
      client.pause(); // its process stands still
      await vi.advanceTimersByTimeAsync(30_000);
      expect((await page.lost).message).toBe('replica 1000 gave no sign of life for 20 s');
    } finally {
      vi.useRealTimers();
    }
  });

  it('says goodbye and stays connected is gone', async () => {
    pretend(() => {});
    const page = await start();
    client.close();
    client.pause(); // it never takes the answer, so it never closes
    await expect.poll(() => socket.readyState).toBe(WebSocket.CLOSING);
    await expect(page.compute(SHARDS[2] as Shard)).rejects.toThrow('replica 1000 has left');
    const startMs = performance.now();
    await page.stop();
    expect(performance.now() - startMs).toBeLessThan(15_000); // a second; left alone, the connection ends after 30
  });

  it('does not start in time is gone', async () => {
    const closed = once(client, 'close');
    await expect(start(50)).rejects.toThrow('replica 1000 gave no answer to start in 50 ms');
    await closed;
  });

  it('leaves before it has started is gone', async () => {
    const starting = start();
    client.terminate();
    await expect(starting).rejects.toThrow('replica 1000 has left');
  });
});

const crashed: Answer = { kind: 'crashed', error: { code: 'replica', message: '\u001b[31mred', place: {} } };
