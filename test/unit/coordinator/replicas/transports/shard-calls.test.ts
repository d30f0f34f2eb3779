// The shards in a replica's hands: what goes over the channel, what comes of the answers, and which call a lost replica was at.
import { once } from 'node:events';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { afterEach, describe, expect, it } from 'vitest';
import type { BegunResult, Shard } from '../../../../../coordinator/replicas/replica.ts';
import { ResultSlots, resultVectors } from '../../../../../coordinator/replicas/transports/result-slots.ts';
import { ShardCalls } from '../../../../../coordinator/replicas/transports/shard-calls.ts';
import { WaitingCalls } from '../../../../../coordinator/replicas/transports/waiting-calls.ts';
import { holdOf, MOST_TOGETHER, RESULT_SLOTS, RESULTS_HELD } from '../../../../../shared/flow.ts';
import { dcgan28 } from '../../../../../shared/model/spec.ts';
import type { ShardJob, ShardOutcome } from '../../../../../shared/protocol.ts';

const ports: MessagePort[] = [];
afterEach(() => {
  for (const port of ports.splice(0)) port.close();
});

function createCalls() {
  const { port1, port2 } = new MessageChannel();
  ports.push(port1, port2);
  const indices = Array.from({ length: RESULT_SLOTS }, () => new Uint32Array(2));
  const begun = new Int32Array(new SharedArrayBuffer(4));
  const results = resultVectors(dcgan28(3), (length) => new Float32Array(length));
  const slots = new ResultSlots(results);
  const keeper = new WaitingCalls<unknown, undefined>(4);
  const calls = new ShardCalls(
    4,
    { port: port1, images: new Uint8Array(), imageSize: 784, indices, begun },
    slots,
    keeper,
  );
  const lose = (what: string) => {
    const lost = keeper.lose('exit', what, undefined, calls.computed);
    calls.close();
    return lost;
  };
  const received = async (): Promise<ShardJob[]> => (await once(port2, 'message'))[0];
  return { calls, lose, slots, indices, begun, results, theirs: port2, received };
}

/** The most that a replica may have in hand. */
const IN_HAND = holdOf(MOST_TOGETHER).inHand;
const shard = (pass: Shard['pass'], number: number): Shard => ({ step: 9, pass, shard: number });
const outcome = ({ step, pass, shard: number }: Shard, more: object = {}): ShardOutcome => ({
  ok: true,
  step,
  pass,
  shard: number,
  seconds: { start: 1, prepare: 2, compute: 3, copy: 4 },
  tensors: 5,
  ...more,
});

it('sends the shards of one moment as one message, with the indices of their images in the slot', async () => {
  const { calls, indices, results, theirs, received } = createCalls();
  const fault = { kind: 'nan' } as const;
  const real = calls.compute({ ...shard('real', 1), images: Uint32Array.of(1, 60_000) });
  const other = calls.compute({ ...shard('real', 2), images: Uint32Array.of(5, 6) });
  const fake = calls.compute({ ...shard('fake', 0), fault });
  expect(await received()).toEqual([
    { step: 9, pass: 'real', shard: 1, slot: 0 },
    { step: 9, pass: 'real', shard: 2, slot: 1 },
    { step: 9, pass: 'fake', shard: 0, slot: 0, fault },
  ]);
  expect(indices.slice(0, 3).map((own) => [...own])).toEqual([
    [1, 60_000],
    [5, 6],
    [0, 0],
  ]);
  theirs.postMessage([outcome(shard('real', 1)), outcome(shard('real', 2))]);
  theirs.postMessage([outcome(shard('fake', 0), { tensors: 6 })]);
  const got = await Promise.all([real, other, fake]);
  expect(got.map(({ values }) => values)).toEqual([results.real[0], results.real[1], results.fake[0]]);
  expect(got.map(({ values }, i) => values === [results.real[0], results.real[1], results.fake[0]][i])).toEqual([
    true,
    true,
    true,
  ]);
  expect(got.map(({ tensors }) => tensors)).toEqual([5, 5, 6]);
  expect(got[0]?.seconds).toEqual({ start: 1, prepare: 2, compute: 3, copy: 4 });
});

it('has a slot for what is in hand and what is held, and takes that again which was released last', async () => {
  const { calls, lose, theirs, received } = createCalls();
  const answered = async (number: number) => {
    const asked = calls.compute(shard('generator', number));
    const [job] = await received();
    theirs.postMessage([outcome(shard('generator', number))]);
    return { slot: job?.slot, result: await asked };
  };
  const held = [];
  for (let i = 0; i < RESULTS_HELD; i++) held.push(await answered(i));
  expect(held.map(({ slot }) => slot)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  for (const i of [5, 2]) held[i]?.result.release();
  expect((await answered(20)).slot).toBe(2);
  expect((await answered(21)).slot).toBe(5);
  for (let i = 0; i < IN_HAND; i++) void calls.compute(shard('generator', 30 + i)).catch(() => {});
  expect(() => calls.compute(shard('generator', 40))).toThrow('no result slot of pass generator is free');
  lose('gone');
});

it('rejects what the replica refuses, and takes its slot again', async () => {
  const { calls, theirs, received } = createCalls();
  const error = { code: 'range', message: 'loss is NaN', place: { replica: 4 }, reason: 'range' };
  const refused = calls.compute(shard('fake', 0));
  await received();
  theirs.postMessage([{ ok: false, error }]);
  await expect(refused).rejects.toMatchObject({ name: 'GanglionError', ...error });
  const next = calls.compute(shard('fake', 1));
  expect(await received()).toMatchObject([{ slot: 0 }]);
  theirs.postMessage([outcome(shard('fake', 1))]);
  await next;
});

it.each<[what: string, got: unknown]>([
  ['nothing', null],
  ['no outcome', { ok: 'yes' }],
  ['a step that is no number', { ...outcome(shard('fake', 0)), step: '9' }],
  ['no seconds', { ...outcome(shard('fake', 0)), seconds: undefined }],
  ['seconds without a part', { ...outcome(shard('fake', 0)), seconds: { start: 1, prepare: 2, compute: 3 } }],
  ['no tensors', { ...outcome(shard('fake', 0)), tensors: undefined }],
  ['an error without a code', { ok: false, error: { message: 'x', place: {} } }],
  ['another shard', outcome(shard('fake', 1))],
  ['another pass', outcome(shard('generator', 0))],
  ['another step', { ...outcome(shard('fake', 0)), step: 8 }],
])('rejects an answer that is %s', async (_, got) => {
  const { calls, theirs } = createCalls();
  const asked = calls.compute(shard('fake', 0));
  theirs.postMessage([got]);
  await expect(asked).rejects.toMatchObject({
    code: 'replica',
    reason: 'frame',
    message: `replica 4 gave a malformed answer: expected one to step 9, discriminator phase on fake images, shard 0, got ${JSON.stringify(got)}`,
  });
});

it('rejects first what a lost replica was at, then the rest, and what is asked for after that', async () => {
  const { calls, lose, begun, theirs, received } = createCalls();
  const order: number[] = [];
  const asked = [0, 1, 2, 3].map((number) => calls.compute(shard('generator', number)));
  for (const [i, call] of asked.entries()) call.catch(() => order.push(i));
  await received();
  theirs.postMessage([outcome(shard('generator', 0))]);
  await asked[0];
  Atomics.store(begun, 0, 3); // it has answered one, computed another and begun the third
  const lost = lose('ended with exit code 1');
  expect(lost).toMatchObject({ message: 'replica 4 ended with exit code 1', reason: 'exit', place: { replica: 4 } });
  expect((await Promise.allSettled(asked)).map(({ status }) => status)).toEqual([
    'fulfilled',
    'rejected',
    'rejected',
    'rejected',
  ]);
  expect(order).toEqual([2, 1, 3]);
  await expect(calls.compute(shard('generator', 5))).rejects.toBe(lost);
});

it('tells when no slot is taken: neither by what is held nor by what was lost', async () => {
  const { calls, lose, slots, theirs, received } = createCalls();
  const asked = [calls.compute(shard('real', 0)), calls.compute(shard('generator', 1))];
  await received();
  theirs.postMessage([outcome(shard('real', 0))]);
  const held = await asked[0];
  lose('gone');
  await expect(asked[1]).rejects.toThrow('gone');
  const told: string[] = [];
  slots.onFree(() => told.push('free'));
  expect(told).toEqual([]);
  held?.release();
  expect(told).toEqual(['free']);
  slots.onFree(() => told.push('at once'));
  expect(told).toEqual(['free', 'at once']);
});

it('sends nothing when the replica is lost in the same moment', async () => {
  const { calls, lose, theirs } = createCalls();
  const messages: unknown[] = [];
  theirs.on('message', (message) => messages.push(message));
  const asked = calls.compute(shard('generator', 0));
  lose('gone');
  await expect(asked).rejects.toThrow('gone');
  await once(theirs, 'close');
  expect(messages).toEqual([]);
});

describe('a shard that may be ahead', () => {
  const after = { mark: 7, versions: { generator: 3, discriminator: 4 } };
  const given = (number: number): Shard => ({ ...shard('fake', number), after, ahead: true });

  it('is given when it is on its way; its answer has nothing to release', async () => {
    const { calls, theirs, results, received, slots } = createCalls();
    const begun: BegunResult[] = [];
    const answer = calls.compute(given(0), (result) => begun.push(result));
    const [job] = await received();
    expect(job).toEqual({ step: 9, pass: 'fake', shard: 0, slot: 0, fault: undefined, after, ahead: true });
    theirs.postMessage([{ pass: 'fake', slot: 0, mark: 11 }]);
    await expect.poll(() => begun).toHaveLength(1);
    expect([begun[0]?.values, begun[0]?.mark]).toEqual([results.fake[0], 11]);
    begun[0]?.release();
    const next = slots.take('fake'); // the same slot, while the answer is under way
    expect(next.index).toBe(0);
    theirs.postMessage([outcome(given(0))]);
    (await answer).release();
    expect(slots.take('fake').index).toBe(1);
  });

  it('gives its slot back once where it fails, before it is on its way or after that', async () => {
    const { calls, theirs, slots, lose, received } = createCalls();
    const begun: BegunResult[] = [];
    const answers = [0, 1].map((number) => calls.compute(given(number), (result) => begun.push(result)));
    await received();
    theirs.postMessage([{ pass: 'fake', slot: 1, mark: 11 }]);
    await expect.poll(() => begun).toHaveLength(1);
    lose('ended');
    for (const answer of answers) await expect(answer).rejects.toThrow('replica 4 ended');
    let isFree = false;
    slots.onFree(() => {
      isFree = true;
    });
    expect(isFree).toBe(false);
    begun[0]?.release();
    expect(isFree).toBe(true);
  });
});
