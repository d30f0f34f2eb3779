// workers/replica/replica.ts and the door of an engine: which parameters a pass is given, under which version, and where its
// vector goes.
import { expect, it } from 'vitest';
import { isOnHost } from '../../../../shared/device-memory.ts';
import type { Pass } from '../../../../shared/model/layout.ts';
import { dcgan28 } from '../../../../shared/model/spec.ts';
import type { ReplicaSetup } from '../../../../shared/protocol.ts';
import type { Engine, ShardInput, ShardResult } from '../../../../workers/engines/engine.ts';
import { Replica } from '../../../../workers/replica/replica.ts';
import { LATENT, SHARD_SIZE, setupOf } from './fake-engine.ts';

const SECONDS = { start: 1, prepare: 2, compute: 3, copy: 4 };

/** An engine that gives what `result` makes of a shard, and writes down what it is asked for. */
async function startedOn(
  result: (shard: ShardInput) => ShardResult,
  others: Partial<Engine> = {},
  setup: ReplicaSetup = setupOf(),
) {
  const calls: unknown[][] = [];
  const { generator, discriminator } = setup.parameters;
  const engine: Engine = {
    ...{ name: 'stub', libraryVersion: '0', tensorCount: () => 0 },
    prepare: async (given) => void calls.push(['prepare', given]),
    setParameters(net, version, values) {
      const isOwn = values === { generator, discriminator }[net];
      calls.push([net, version, isOwn ? 'own' : isOnHost(values) && new Set(values)]);
    },
    async computePass(pass, step, shards) {
      calls.push([pass, step, shards.map(({ shard }) => shard)]);
      return shards.map(result);
    },
    sample: async () => new Float32Array(784),
    dispose: () => calls.push(['dispose']),
    ...others,
  };
  const replica = await Replica.start(engine, setup);
  return { replica, calls, setup };
}

const own = (): ShardResult => ({ ok: true, seconds: SECONDS });
const job = (pass: Pass, step = 7) => ({ step, pass, shard: 2, slot: 1 });

it('prepares the engine once, with the limit of the exact sum', async () => {
  const { calls, replica } = await startedOn(own);
  replica.dispose();
  // two passes of four shards: each value below 2^12 / 8
  const setup = { spec: dcgan28(LATENT), shardSize: SHARD_SIZE, seed: 11, shards: 4, limit: 512 };
  expect(calls).toEqual([['prepare', setup], ['dispose']]);
});

it('gives a pass the nets that it needs, by the number of their updates', async () => {
  const { calls, replica } = await startedOn(own);
  calls.length = 0;
  for (const pass of ['real', 'fake', 'generator'] as const) await replica.compute(job(pass));
  expect(calls).toEqual([
    ...[
      ['discriminator', 7, 'own'],
      ['real', 7, [2]],
    ],
    ...[
      ['generator', 7, 'own'],
      ['discriminator', 7, 'own'],
      ['fake', 7, [2]],
    ],
    ...[
      ['generator', 7, 'own'],
      ['discriminator', 8, 'own'],
      ['generator', 7, [2]],
    ],
  ]);
});

it('samples with a generator of no known version', async () => {
  const { calls, replica } = await startedOn(own);
  calls.length = 0;
  await replica.sample({ seed: 1, count: 1, statistics: 'batch' });
  expect(calls).toEqual([['generator', undefined, 'own']]);
});

it('precomputes with the generator of the step, where the engine can', async () => {
  const asked: number[][] = [];
  const precompute = async (step: number, shard: number) => asked.push([step, shard]) > 0;
  const { calls, replica } = await startedOn(own, { precompute });
  calls.length = 0;
  expect(await replica.precompute(7, 2)).toBe(true);
  expect([calls, asked]).toEqual([[['generator', 7, 'own']], [[7, 2]]]);
  const without = await startedOn(own);
  expect(await without.replica.precompute(7, 2)).toBe(false);
});

it('gives a pass the slot of its job and the parameters where they lie, on the host or on a device', async () => {
  const given: unknown[] = [];
  const take = ({ into }: ShardInput): ShardResult => {
    given.push(into);
    return own();
  };
  const onHost = await startedOn(take);
  expect(await onHost.replica.compute(job('fake'))).toEqual(SECONDS);
  const place = (address: number) => ({ address, length: 9 });
  const places = { real: [place(1), place(2)], fake: [place(3), place(4)], generator: [place(5), place(6)] };
  const parameters = { generator: place(7), discriminator: place(8) };
  const onDevice = await startedOn(take, {}, { ...setupOf(), parameters, results: places });
  onDevice.calls.length = 0;
  await onDevice.replica.compute(job('generator'));
  expect(given).toEqual([onHost.setup.results.fake[1], place(6)]);
  expect(onDevice.calls.slice(0, 2)).toEqual([
    ['generator', 7, 'own'],
    ['discriminator', 8, 'own'],
  ]);
});

it('says which value is out of range', async () => {
  const { replica } = await startedOn(() => ({ ok: false, outOfRange: { name: 'a[1]', value: -600 } }));
  await expect(replica.compute(job('real'))).rejects.toMatchObject({
    ...{ code: 'range', message: 'a[1] is -600, expected a finite value below 512' },
    place: { replica: 6, step: 7, pass: 'real', shard: 2 },
  });
});

it('carries out the fault `nan` by parameters that are no numbers, for that pass alone', async () => {
  const { calls, replica } = await startedOn(own);
  calls.length = 0;
  await replica.compute({ ...job('real'), fault: { kind: 'nan' } });
  await replica.compute(job('real'));
  expect(calls).toEqual([
    ['discriminator', 7, 'own'],
    ['discriminator', undefined, new Set([Number.NaN])],
    ['real', 7, [2]],
    ['discriminator', 7, 'own'],
    ['real', 7, [2]],
  ]);
});
