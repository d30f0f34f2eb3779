// Replicas on the backends that need no compiler: the same bits in every thread and process, at the same time, and whatever came before; and which
// libraries each backend loads.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { type Replica, toHost } from '../../coordinator/replicas/replica.ts';
import { startProcessReplica } from '../../coordinator/replicas/transports/process-replica.ts';
import { startThreadReplica } from '../../coordinator/replicas/transports/thread-replica.ts';
import type { Backend } from '../../shared/backend.ts';
import { initialise } from '../../shared/model/initialise.ts';
import { layoutOf, type Net } from '../../shared/model/layout.ts';
import { dcgan28 } from '../../shared/model/spec.ts';
import { withTensorflow } from '../unit/workers/engines/tensorflow/ready.ts';
import { withVulkan } from '../unit/workers/engines/tfjs/vulkan.ts';
import { KERNELS } from './ganglion.ts';

/** Names of engines, but those of tfjs. */
const NAMES: Readonly<Record<string, unknown>> = {
  cpu: KERNELS.engine,
  tensorflow: expect.stringMatching(/^tensorflow-/),
  wasm: 'kernels-wasm',
};
const LATENT = 8;
const SHARD_SIZE = 2;
const deadlineMs = 100_000;
const entry = (name: string): URL => new URL(`../../dist/workers/entry/${name}-entry.js`, import.meta.url);
const IMAGES = new Uint8Array(new SharedArrayBuffer(3 * 784)).map((_, i) => (i * 7919) % 256);

function parameters(net: Net): Float32Array {
  const values = new Float32Array(new SharedArrayBuffer(4 * layoutOf(net, dcgan28(LATENT)).parameterCount));
  initialise(net, dcgan28(LATENT), 3, values);
  return values;
}

type Kind = 'thread' | 'process';
const START = { thread: startThreadReplica, process: startProcessReplica };

function startAll(backend: Backend, kinds: readonly Kind[]): Promise<Replica[]> {
  const nets = { generator: parameters('generator'), discriminator: parameters('discriminator') };
  const setup = { backend, shardSize: SHARD_SIZE, spec: dcgan28(LATENT), seed: 5, shards: 4, parameters: nets };
  return Promise.all(
    kinds.map((kind, id) => START[kind](id, { entry: entry(kind), setup, images: IMAGES, deadlineMs })),
  );
}

/** All three passes, two at a time as the group hands them out, and samples. */
async function hashOf(replica: Replica, withSamples: boolean): Promise<string> {
  const hash = createHash('sha256');
  const place = { step: 3, shard: 1 };
  const real = replica.compute({ ...place, pass: 'real', images: Uint32Array.of(2, 0) });
  const fake = replica.compute({ ...place, pass: 'fake' });
  hash.update(toHost((await real).values).slice());
  hash.update(toHost((await fake).values).slice());
  hash.update(toHost((await replica.compute({ ...place, pass: 'generator' })).values).slice());
  if (withSamples) {
    hash.update(await replica.sample({ seed: 2, count: 3, statistics: new Float32Array(448).fill(1) }));
    hash.update(await replica.sample({ seed: 2, count: 3, statistics: 'batch' }));
  }
  return hash.digest('hex');
}

// A GPU in software compiles its shaders for seconds, in every replica: one is enough.
const CASES: { readonly backend: Backend; readonly kinds: readonly Kind[]; readonly withSamples: boolean }[] = [
  { backend: 'wasm', kinds: ['thread', 'thread', 'process'], withSamples: true },
  ...withVulkan({ backend: 'webgpu' as const, kinds: ['thread'], withSamples: false }),
];

it.each(CASES)('$backend gives the same bits in $kinds, now and later', async ({ backend, kinds, withSamples }) => {
  const replicas = await startAll(backend, kinds);
  try {
    for (const { ready } of replicas) {
      expect(ready.engine).toEqual(NAMES[backend] ?? `tfjs-${backend}`);
      expect(ready.device).toEqual(backend === 'webgpu' ? expect.stringMatching(/swiftshader/i) : undefined);
    }
    const hashes = () => Promise.all(replicas.map((replica) => hashOf(replica, withSamples)));
    const first = await hashes();
    const second = await hashes();
    expect(new Set([...first, ...second]).size).toBe(1);
    expect(first[0]).toMatch(/^[0-9a-f]{64}$/);
  } finally {
    await Promise.all(replicas.map((replica) => replica.stop()));
  }
});

it.each([
  ['cpu', ['ganglion_kernels.node']],
  ...withTensorflow(['tensorflow', ['tfjs_binding.node']] as [string, string[]]),
  ['wasm', []],
  ['js', ['@tensorflow/tfjs-core', 'tfjs-backend-cpu']],
])('%s loads no other library than its own', (backend, expected) => {
  const libraries = [
    'ganglion_kernels.node',
    'tfjs_binding.node',
    '@tensorflow/tfjs-core',
    'tfjs-backend-cpu',
    'dawn.node',
  ];
  const program = `
    import { createRequire } from 'node:module';
    import { createEngine } from '${new URL('../../dist/workers/engines/engines.js', import.meta.url)}';
    import '${entry('process').href.replace('entry/process-entry', 'replica/process-service')}';
    const { name } = await createEngine('${backend}');
    const files = Object.keys(createRequire(import.meta.url).cache);
    const loaded = ${JSON.stringify(libraries)}.filter((name) => files.some((file) => file.includes(name)));
    console.log(JSON.stringify({ name, loaded }));`;
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' });
  expect(JSON.parse(output)).toEqual({ name: NAMES[backend] ?? `tfjs-${backend}`, loaded: expected });
});
