// What a step asks of the kernels: calls, arrays made, bytes copied, memory kept. Exact numbers, so that a change which adds a call or a
// copy has to change them here. No times: those are measured by `npm run bench`.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Pass } from '../../../../../shared/model/layout.ts';
import { phaseOf } from '../../../../../shared/model/layout.ts';
import { phaseVectorOf } from '../../../../../shared/model/phase-vector.ts';
import { dcgan28 } from '../../../../../shared/model/spec.ts';
import type { Executor } from '../../../../../workers/engines/executor.ts';
import type { KernelBinding } from '../../../../../workers/engines/kernels/binding.ts';
import { kernelExecutor } from '../../../../../workers/engines/kernels/executor.ts';
import type { PlanSource } from '../../../../../workers/engines/kernels/plan-binding.ts';
import { ProgramEngine } from '../../../../../workers/engines/program-engine.ts';
import type { ProgramRunner } from '../../../../../workers/engines/program-runner.ts';
import { Replica } from '../../../../../workers/replica/replica.ts';
import { initialParameters } from '../../../../golden/golden.ts';
import { FLOAT, G_STATISTICS, LATENT, SHARD_SIZE, SHARDS } from '../pass-sizes.ts';
import { hasKernels, loadedBinding } from './loaded.ts';

type Precompute = NonNullable<Executor['precompute']>;

describe.skipIf(!hasKernels)('a pass of a shard by the kernels', () => {
  /** What the add-on was asked for. Outputs are written where they belong, so nothing is copied out but what steps copy. */
  interface KernelCounts {
    plans: number;
    frames: number;
    runs: number;
    searches: number;
    /** Arrays that a run has made for its outputs, and their bytes. */
    arrays: number;
    bytesMade: number;
    /** Copied into the vectors that the coordinator reads, by the replica and by steps. */
    bytesWritten: number;
    bytesCopied: number;
  }
  const ZERO: KernelCounts = {
    ...{ plans: 0, frames: 0, runs: 0, searches: 0 },
    ...{ arrays: 0, bytesMade: 0, bytesWritten: 0, bytesCopied: 0 },
  };
  const tally: KernelCounts = { ...ZERO };
  /** Memory that lives as long as the replica. */
  const lasting = new Set<ArrayBufferLike>();
  /** Arrays that runs have made, and frames: counted when the garbage collector has taken them. */
  let alive = 0;
  const registry = new FinalizationRegistry(() => alive--);
  const watch = (value: object): void => {
    alive += 1;
    registry.register(value, undefined);
  };

  const countingKernels = (binding: KernelBinding): KernelBinding => {
    const steps = new WeakMap<object, PlanSource['steps']>();
    const counted: Partial<KernelBinding> = {
      createPlan(source) {
        tally.plans += 1;
        const plan = binding.createPlan(source);
        if (plan) steps.set(plan, source.steps);
        return plan;
      },
      createFrame(plan) {
        tally.frames += 1;
        const frame = binding.createFrame(plan);
        steps.set(frame, steps.get(plan) ?? []);
        watch(frame);
        return frame;
      },
      run(frame, first, last, arrays) {
        tally.runs += 1;
        for (const { kernel, sizes } of (steps.get(frame) ?? []).slice(first, last)) {
          if (kernel === 'copy') tally.bytesCopied += FLOAT * (sizes[0] ?? 0);
        }
        for (const array of arrays) {
          if (!array || lasting.has(array.buffer) || inputs.has(array)) continue;
          tally.arrays += 1;
          tally.bytesMade += array.byteLength;
          watch(array);
        }
        binding.run(frame, first, last, arrays);
      },
      findOutside(values, limit) {
        tally.searches += 1;
        return binding.findOutside(values, limit);
      },
    };
    return Object.setPrototypeOf(counted, binding);
  };

  /** Images and noise of the runs under way. */
  const inputs = new WeakSet<object>();
  const pixels = [new Uint8Array(SHARD_SIZE * 784).fill(99)];
  let replica: Replica;

  beforeAll(async () => {
    const wrapped = countingKernels(loadedBinding());
    const lastingVector = (pass: Pass): Float32Array => {
      const values = new Float32Array(phaseVectorOf(phaseOf(pass), dcgan28(LATENT)).length);
      lasting.add(values.buffer);
      const { set } = values;
      // what the replica copies into a slot by itself
      values.set = (source, offset) => {
        tally.bytesWritten += source.length * FLOAT;
        set.call(values, source, offset);
      };
      return values;
    };
    const slots = (pass: Pass): [Float32Array, Float32Array] => [lastingVector(pass), lastingVector(pass)];
    const parameters = { generator: initialParameters('generator'), discriminator: initialParameters('discriminator') };
    for (const { buffer } of Object.values(parameters)) lasting.add(buffer);
    const engine: ProgramRunner = {
      ...{ name: 'counting', libraryVersion: 'kernels', tensorCount: () => 0 },
      load: (program) => {
        const executor = kernelExecutor(wrapped, program);
        if (!executor) throw new Error(`no kernels for ${program.name}`);
        const known = (values: Readonly<Record<string, Float32Array>>) => {
          for (const name of ['images', 'z']) if (values[name]) inputs.add(values[name]);
          return values;
        };
        return {
          run: (values, ...rest) => executor.run(known(values), ...rest),
          precompute:
            executor.precompute && (async (values) => await (executor.precompute as Precompute)(known(values))),
          dispose: () => executor.dispose(),
        };
      },
      findOutside: (values, limit) => wrapped.findOutside(values, limit),
    };
    replica = await Replica.start(new ProgramEngine(engine), {
      ...{
        replica: 0,
        backend: 'cpu',
        shardSize: SHARD_SIZE,
        spec: dcgan28(LATENT),
        seed: 1,
        shards: SHARDS,
        parameters,
      },
      results: { real: slots('real'), fake: slots('fake'), generator: slots('generator') },
    });
  });
  afterAll(() => replica.dispose());

  const compute = async (pass: Pass, step: number, shard: number): Promise<void> => {
    await replica.compute({ step, pass, shard, slot: shard % 2 === 0 ? 0 : 1, ...(pass === 'real' ? { pixels } : {}) });
  };
  const tallyOf = async (work: () => Promise<unknown>): Promise<KernelCounts> => {
    Object.assign(tally, ZERO);
    await work();
    return { ...tally };
  };
  /** The logits alone have no place in the vector: they become two scalars. */
  const LOGITS = { arrays: 1, bytesMade: FLOAT * SHARD_SIZE };

  it('three plans, and memory for one run of each', async () => {
    expect(tally).toMatchObject({ plans: 3, frames: 3 }); // by the warm-up
  });

  it('real and fake: one run; every output is written into its place, but the logits, and searched once', async () => {
    expect(await tallyOf(() => compute('real', 0, 0))).toEqual({ ...ZERO, runs: 1, ...LOGITS, searches: 10 + 4 });
    expect(await tallyOf(() => compute('fake', 0, 0))).toEqual({ ...ZERO, runs: 1, ...LOGITS, searches: 10 + 10 });
  });

  it('generator: two runs; the statistics of G, known before their place is, are copied', async () => {
    const rest = { ...ZERO, runs: 1, ...LOGITS, searches: 10 + 10, bytesCopied: FLOAT * G_STATISTICS };
    expect(await tallyOf(() => compute('generator', 0, 0))).toEqual({ ...rest, runs: 2 });
    // precomputed: the memory that the run before has left
    expect(await tallyOf(() => replica.precompute(0, 1))).toEqual({ ...ZERO, runs: 1 });
    expect(await tallyOf(() => replica.precompute(0, 1))).toEqual(ZERO);
    expect(await tallyOf(() => compute('generator', 0, 1))).toEqual(rest);
  });

  it('a step is 16 runs and makes 12 arrays of 128 bytes; after five the frames are those of the first', async () => {
    const step = (number: number) =>
      tallyOf(async () => {
        for (const pass of ['real', 'fake', 'generator'] as const) {
          for (let shard = 0; shard < SHARDS; shard++) {
            if (pass === 'fake') await replica.precompute(number, shard);
            await compute(pass, number, shard);
          }
        }
      });
    const first = await step(1);
    expect(first).toEqual({
      ...{ plans: 0, frames: SHARDS - 1, runs: 4 * SHARDS, searches: SHARDS * (14 + 20 + 20) },
      ...{ arrays: 3 * SHARDS, bytesMade: 3 * SHARDS * FLOAT * SHARD_SIZE },
      ...{ bytesWritten: 0, bytesCopied: SHARDS * FLOAT * G_STATISTICS },
    });
    for (let number = 2; number < 6; number++) expect(await step(number)).toEqual({ ...first, frames: 0 });
    setFlagsFromString('--expose-gc');
    const collect: () => void = runInNewContext('gc');
    await expect.poll(() => [collect(), alive][1]).toBe(3 + SHARDS - 1);
  });
});
