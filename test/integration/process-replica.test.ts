// One replica in a process: what it is sent and what comes back, every way to lose it with its reason, and that nothing is left.
import { afterEach, describe, expect, it, vi } from 'vitest';
import { type Replica, toHost } from '../../coordinator/replicas/replica.ts';
import { startProcessReplica } from '../../coordinator/replicas/transports/process-replica.ts';
import type { Device } from '../../shared/device.ts';
import { layoutOf } from '../../shared/model/layout.ts';
import { dcgan28 } from '../../shared/model/spec.ts';
import { isRunning } from './ganglion.ts';

const ENTRY = new URL('../fixtures/faulty-process.mjs', import.meta.url);
const LATENT = 4;
const shard = { step: 1, pass: 'generator', shard: 0 } as const;
/** Every pixel of image i is i. */
const IMAGES = Uint8Array.from({ length: 4 * 784 }, (_, i) => Math.floor(i / 784));
const replicas: Replica[] = [];

async function start(
  fault = '',
  deadlineMs = 20_000,
  parameters = makeParameters(),
  device: Device = { backend: 'cpu' },
): Promise<Replica> {
  process.env.GANGLION_TEST_FAULT = fault;
  const setup = { ...device, shardSize: 2, spec: dcgan28(LATENT), seed: 1, shards: 4, parameters };
  const replica = await startProcessReplica(5, { entry: ENTRY, setup, images: IMAGES, deadlineMs });
  replicas.push(replica);
  return replica;
}

function makeParameters() {
  const shared = (net: 'generator' | 'discriminator') =>
    new Float32Array(new SharedArrayBuffer(4 * layoutOf(net, dcgan28(LATENT)).parameterCount));
  return { generator: shared('generator'), discriminator: shared('discriminator') };
}

afterEach(async () => {
  for (const replica of replicas.splice(0)) {
    await replica.stop();
    expect(isRunning(replica.ready.pid)).toBe(false);
  }
});

describe('a process', () => {
  it('computes with the parameters of the version that a pass needs, and answers in order', async () => {
    const parameters = makeParameters();
    const replica = await start('', 20_000, parameters);
    expect(replica).toMatchObject({ id: 5, kind: 'process', ready: { engine: 'stub' } });
    const firstValueOf = async (given: Parameters<Replica['compute']>[0]): Promise<number | undefined> => {
      const { values } = await replica.compute(given);
      expect(new Set(toHost(values)).size).toBe(1);
      return toHost(values)[0];
    };
    parameters.generator.fill(1);
    parameters.discriminator.fill(2);
    expect(await firstValueOf({ step: 2, pass: 'fake', shard: 0 })).toBe(2021);
    parameters.discriminator.fill(4); // D is updated
    expect(await firstValueOf({ step: 2, pass: 'generator', shard: 1 })).toBe(2041);
    parameters.generator.fill(5); // G is, beside D on the real images of the next step
    const both = [
      firstValueOf({ step: 3, pass: 'real', shard: 0, images: Uint32Array.of(2, 3) }),
      firstValueOf({ step: 3, pass: 'fake', shard: 0 }),
    ];
    expect(await Promise.all(both)).toEqual([3340, 3045]);
  });

  it('draws samples with the parameters of the moment, and computes with its own again after that', async () => {
    const parameters = makeParameters();
    const replica = await start('', 20_000, parameters);
    parameters.generator.fill(1);
    const statistics = new Float32Array(layoutOf('generator', dcgan28(LATENT)).statisticsCount).fill(2);
    expect(await replica.sample({ seed: 1, count: 3, statistics })).toEqual(new Float32Array(3 * 784).fill(3));
    parameters.generator.fill(7);
    expect(await replica.sample({ seed: 1, count: 1, statistics: 'batch' })).toEqual(new Float32Array(784).fill(7.5));
    expect(toHost((await replica.compute({ step: 2, pass: 'generator', shard: 0 })).values)[0]).toBe(2007);
  });

  it('keeps the result of a call while the next one is answered', async () => {
    const replica = await start();
    const first = await replica.compute({ step: 2, pass: 'generator', shard: 0 });
    await replica.compute({ step: 3, pass: 'generator', shard: 0 });
    expect(toHost(first.values)[0]).toBe(2000);
  });
});

describe('CUDA_VISIBLE_DEVICES of a process', () => {
  it.each([
    [{ backend: 'tensorflow', gpu: 1 }, '6'],
    [{ backend: 'tensorflow' }, '5,6'],
    [{ backend: 'cuda', gpu: 1 }, '5,6'],
  ] as const)('on %o is %s', async (device, visible) => {
    vi.stubEnv('CUDA_VISIBLE_DEVICES', '5,6');
    const replica = await start('', 20_000, makeParameters(), device);
    vi.unstubAllEnvs();
    expect(replica.ready.libraryVersion).toBe(visible);
  });
});

describe('a process that', () => {
  it.each([
    ['exits', 'exit', 'exit', /^replica 5 ended with exit code 7$/],
    ['is ended by a signal', 'abort', 'exit', /^replica 5 was ended by SIGSEGV$/],
    ['closes its channel', 'channel', 'channel', /^replica 5 closed its channel but is still running$/],
    ['throws', 'throw', 'error', /^replica 5 crashed: replica 5 failed: cosmic ray$/],
    ['throws outside of a call', 'crash', 'error', /^replica 5 crashed: replica 5 failed: cosmic ray$/],
    ['freezes', 'freeze', 'heartbeat', /^replica 5 gave no sign of life for 2\.25 s$/],
    ['writes what is no frame', 'rubbish', 'frame', /sent a malformed frame: expected magic/],
    ['speaks another version', 'version', 'frame', /sent a malformed frame: expected version 1, got 2/],
    ['sends an unknown message', 'kind', 'frame', /malformed frame: its header is not a message: kind/],
    ['answers another call', 'call', 'frame', /expected the answer to call 1, got 9/],
    ['answers with another size', 'size', 'frame', /expected a body of \d+ bytes, got 8/],
    ['answers with another kind', 'other', 'frame', /expected an answer to compute, got one to sample/],
  ])('%s is lost with its reason, and so are all calls under way', async (_, fault, reason, message) => {
    const replica = await start(fault);
    const calls = await Promise.allSettled([replica.compute(shard), replica.compute({ ...shard, step: 2 })]);
    for (const call of calls) {
      expect(call).toMatchObject({ status: 'rejected', reason: { code: 'replica', reason, place: { replica: 5 } } });
      expect(call).toHaveProperty('reason.message', expect.stringMatching(message));
    }
    await expect(replica.compute({ ...shard, step: 3 })).rejects.toMatchObject({ reason });
  });

  it('fails on a shard tells why, and can be asked again', async () => {
    const replica = await start('fail');
    await expect(replica.compute(shard)).rejects.toMatchObject({ reason: 'error', message: 'replica 5 failed' });
    expect(toHost((await replica.compute({ ...shard, step: 2 })).values)[0]).toBe(2000);
  });

  it.each(['start', 'sample'])('misses the deadline of %s is ended', async (fault) => {
    const late = {
      code: 'replica',
      reason: 'deadline',
      message: expect.stringMatching(/gave no answer .* in 1500 ms/),
    };
    if (fault === 'start') await expect(start(fault, 1500)).rejects.toMatchObject(late);
    else {
      const replica = await start(fault, 1500);
      await expect(replica.sample({ seed: 1, count: 1, statistics: 'batch' })).rejects.toMatchObject(late);
      await expect.poll(() => isRunning(replica.ready.pid)).toBe(false);
    }
  });

  it('works long in one native call keeps its heartbeat, and is ended all the same when it is not wanted', async () => {
    const replica = await start('stuck');
    const stuck = replica.compute(shard).then(
      () => 'answered',
      (error: unknown) => error,
    );
    const waited = new Promise((resolve) => setTimeout(resolve, 3000, 'still at it'));
    expect(await Promise.race([stuck, waited])).toBe('still at it');
    await replica.stop(); // asks, then kills it
    expect(isRunning(replica.ready.pid)).toBe(false);
    expect(await stuck).toMatchObject({ reason: 'deadline' });
  });

  it('is not there fails to start', async () => {
    const entry = new URL('./no-such-file.mjs', import.meta.url);
    const setup = {
      backend: 'cpu' as const,
      shardSize: 2,
      spec: dcgan28(LATENT),
      seed: 1,
      shards: 4,
      parameters: makeParameters(),
    };
    await expect(startProcessReplica(5, { entry, setup, images: IMAGES, deadlineMs: 20_000 })).rejects.toMatchObject({
      reason: 'exit',
    });
  });
});
