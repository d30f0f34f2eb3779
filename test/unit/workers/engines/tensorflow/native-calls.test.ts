// What a step asks of TensorFlow: calls, bytes copied, tensors alive. Exact numbers, so that a change which adds a call or a copy has to
// change them here. No times: those are measured by `npm run bench`.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Pass } from '../../../../../shared/model/layout.ts';
import { phaseOf } from '../../../../../shared/model/layout.ts';
import { phaseVectorOf } from '../../../../../shared/model/phase-vector.ts';
import { dcgan28 } from '../../../../../shared/model/spec.ts';
import { ProgramEngine } from '../../../../../workers/engines/program-engine.ts';
import { loadBinding, type NativeBinding, type TensorData } from '../../../../../workers/engines/tensorflow/binding.ts';
import { TensorflowExecutor } from '../../../../../workers/engines/tensorflow/executor.ts';
import { Replica } from '../../../../../workers/replica/replica.ts';
import { initialParameters } from '../../../../golden/golden.ts';
import { D, D_GRADIENT, D_STATISTICS, FLOAT, G, G_STATISTICS, LATENT, SHARD_SIZE, SHARDS } from '../pass-sizes.ts';
import { hasTensorflow } from './ready.ts';

interface Counts {
  runs: number;
  created: number;
  read: number;
  deleted: number;
  /** Given to tensors. Those that do not begin on a 64-byte boundary of their buffer are copied by TensorFlow. */
  bytesIn: number;
  bytesOffBoundary: number;
  /** Copied out of tensors, and written into the vectors that the coordinator reads. */
  bytesOut: number;
  bytesWritten: number;
  mostAlive: number;
}

const NONE: Counts = {
  ...{ runs: 0, created: 0, read: 0, deleted: 0, bytesIn: 0, bytesOffBoundary: 0 },
  ...{ bytesOut: 0, bytesWritten: 0, mostAlive: 0 },
};
const counts: Counts = { ...NONE };

/** The native binding, counting. */
function counting(binding: NativeBinding): NativeBinding {
  const alive = () => {
    counts.mostAlive = Math.max(counts.mostAlive, binding.getNumOfTensors());
  };
  const counted = {
    createTensor(shape: readonly number[], dtype: number, data: TensorData): number {
      counts.created += 1;
      counts.bytesIn += data.byteLength;
      if (data.byteOffset % 64 !== 0) counts.bytesOffBoundary += data.byteLength;
      const id = binding.createTensor(shape, dtype, data);
      alive();
      return id;
    },
    deleteTensor(id: number): void {
      counts.deleted += 1;
      binding.deleteTensor(id);
    },
    tensorDataSync(id: number): TensorData {
      const values = binding.tensorDataSync(id);
      counts.read += 1;
      counts.bytesOut += values.byteLength;
      return values;
    },
    runSavedModel(...given: Parameters<NativeBinding['runSavedModel']>) {
      counts.runs += 1;
      const results = binding.runSavedModel(...given);
      alive();
      return results;
    },
    executeOp(): never {
      throw new Error('a step runs whole programs, no single operation');
    },
  };
  // Everything else is the binding's own; its properties cannot be assigned.
  return Object.setPrototypeOf(counted, binding) as NativeBinding;
}

/** A vector of results that counts what is copied into it. */
function vector(pass: Pass): Float32Array {
  const values = new Float32Array(phaseVectorOf(phaseOf(pass), dcgan28(LATENT)).length);
  const { set } = values;
  values.set = (source, offset) => {
    counts.bytesWritten += source.length * FLOAT;
    set.call(values, source, offset);
  };
  return values;
}

describe.skipIf(!hasTensorflow)('a pass of a shard by TensorFlow', () => {
  const slots = (pass: Pass): [Float32Array, Float32Array] => [vector(pass), vector(pass)];
  const pixels = [new Uint8Array(SHARD_SIZE * 784).fill(99)];
  let binding: NativeBinding;
  let replica: Replica;

  beforeAll(async () => {
    binding = loadBinding();
    const wrapped = counting(binding);
    const engine = {
      ...{ name: 'counting', libraryVersion: binding.TF_Version },
      load: (program: ConstructorParameters<typeof TensorflowExecutor>[1]) => new TensorflowExecutor(wrapped, program),
      tensorCount: () => binding.getNumOfTensors(),
    };
    replica = await Replica.start(new ProgramEngine(engine), {
      ...{ replica: 0, backend: 'cpu', shardSize: SHARD_SIZE, spec: dcgan28(LATENT), seed: 1, shards: SHARDS },
      parameters: { generator: initialParameters('generator'), discriminator: initialParameters('discriminator') },
      results: { real: slots('real'), fake: slots('fake'), generator: slots('generator') },
    });
  });
  afterAll(() => replica.dispose());

  const compute = async (pass: Pass, step: number, shard: number): Promise<void> => {
    await replica.compute({ step, pass, shard, slot: shard % 2 === 0 ? 0 : 1, ...(pass === 'real' ? { pixels } : {}) });
  };
  const countsOf = async (work: () => Promise<void>): Promise<Counts> => {
    Object.assign(counts, NONE);
    await work();
    return { ...counts };
  };

  it('real: 12 parameters of D and the images in; logits, 10 gradients and 4 statistics out; one run', async () => {
    expect(await countsOf(() => compute('real', 0, 0))).toEqual({
      runs: 1,
      created: 12 + 1,
      read: 1 + 10 + 4,
      deleted: 13 + 15,
      bytesIn: FLOAT * (D + SHARD_SIZE * 784),
      bytesOffBoundary: 0,
      bytesOut: FLOAT * (SHARD_SIZE + D_GRADIENT + D_STATISTICS),
      bytesWritten: FLOAT * (D_GRADIENT + D_STATISTICS), // the logits become two scalars
      mostAlive: 13 + 15,
    });
  });

  it('fake: 22 parameters and the noise in; logits, 10 gradients and 10 statistics out; one run', async () => {
    expect(await countsOf(() => compute('fake', 0, 0))).toEqual({
      runs: 1,
      created: 12 + 10 + 1,
      read: 1 + 10 + 4 + 6,
      deleted: 23 + 21,
      bytesIn: FLOAT * (D + G + SHARD_SIZE * LATENT),
      bytesOffBoundary: 0,
      bytesOut: FLOAT * (SHARD_SIZE + D_GRADIENT + D_STATISTICS + G_STATISTICS),
      bytesWritten: FLOAT * (D_GRADIENT + D_STATISTICS + G_STATISTICS),
      mostAlive: 23 + 21,
    });
  });

  /** Making the images needs G alone, so it is a run of its own, which hands over 16 tensors: activations, and what BatchNorm keeps. */
  const HANDED = 16;
  const FIRST = { runs: 1, created: 10 + 1, bytesIn: FLOAT * (G + SHARD_SIZE * LATENT) };
  /** The rest needs D, the noise, and of G what its gradients go through: three filters and three scales. */
  const REST = {
    ...{ runs: 1, created: 12 + 6 + 1 },
    bytesIn: FLOAT * (D + 131072 + 32768 + 512 + 128 + 64 + 32 + SHARD_SIZE * LATENT),
  };
  const GENERATOR_OUT = {
    read: 1 + 10 + 6 + 4,
    bytesOffBoundary: 0,
    bytesOut: FLOAT * (SHARD_SIZE + G + D_STATISTICS + G_STATISTICS),
    bytesWritten: FLOAT * (G + D_STATISTICS + G_STATISTICS),
    mostAlive: 6 + HANDED + 19 + 15,
  };

  it('generator: noise, D and G in, some of G twice; logits, 10 gradients of G and 10 statistics out; two runs', async () => {
    expect(await countsOf(() => compute('generator', 0, 0))).toEqual({
      ...GENERATOR_OUT,
      runs: FIRST.runs + REST.runs,
      created: FIRST.created + REST.created,
      deleted: FIRST.created + 6 + HANDED + REST.created + 15,
      bytesIn: FIRST.bytesIn + REST.bytesIn,
    });
  });

  it('generator, precomputed: the same, in two parts; what is precomputed and not asked for goes with its step', async () => {
    expect(await countsOf(async () => void (await replica.precompute(0, 1)))).toEqual({
      ...NONE,
      ...FIRST,
      deleted: FIRST.created,
      mostAlive: FIRST.created + 6 + HANDED,
    });
    expect(binding.getNumOfTensors()).toBe(6 + HANDED);
    expect(await countsOf(async () => void (await replica.precompute(0, 1)))).toEqual(NONE); // there already
    expect(await countsOf(() => compute('generator', 0, 1))).toEqual({
      ...GENERATOR_OUT,
      ...REST,
      deleted: 6 + HANDED + REST.created + 15,
    });
    await replica.precompute(0, 2);
    await compute('real', 1, 0);
    expect(binding.getNumOfTensors()).toBe(0);
  });

  it('a step is 16 runs, and every step the same; no tensor outlives a pass', async () => {
    const step = (number: number) =>
      countsOf(async () => {
        for (const pass of ['real', 'fake', 'generator'] as const) {
          for (let shard = 0; shard < SHARDS; shard++) {
            await compute(pass, number, shard);
            expect(binding.getNumOfTensors()).toBe(0);
          }
        }
      });
    const first = await step(0);
    expect(first).toMatchObject({
      runs: 4 * SHARDS,
      created: SHARDS * (13 + 23 + 30),
      read: SHARDS * (15 + 21 + 21),
      deleted: SHARDS * (28 + 44 + 67),
      bytesOffBoundary: 0,
    });
    expect(first.deleted).toBe(first.created + first.read + SHARDS * HANDED);
    for (let number = 1; number < 4; number++) expect(await step(number)).toEqual(first);
  });
});
