// The update on a GPU, in the emulation, has the bits of the host's: exact sum, Adam, norm, running statistics and losses.
import { createHash } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { emaSha256, stateSha256 } from '../../../../../coordinator/checkpoints/checkpoint.ts';
import type { ShardResult } from '../../../../../coordinator/replicas/replica.ts';
import { moveAverage } from '../../../../../coordinator/training/average.ts';
import { DeviceState } from '../../../../../coordinator/training/device-state.ts';
import { createDeviceUpdate } from '../../../../../coordinator/training/device-update.ts';
import { HOST_COPY_STEPS } from '../../../../../coordinator/training/host-copies.ts';
import { copyState, emptyState, initialState, type TrainingState } from '../../../../../coordinator/training/state.ts';
import { createUpdate, type Update } from '../../../../../coordinator/training/update.ts';
import type { UpdateDevice } from '../../../../../shared/device-memory.ts';
import { phaseVectorOf } from '../../../../../shared/model/phase-vector.ts';
import { dcgan28 } from '../../../../../shared/model/spec.ts';
import { fillNormal } from '../../../../../shared/random.ts';
import { cudaRunner } from '../../../../../workers/engines/cuda/cuda-runner.ts';
import { cudaDevice } from '../../../../../workers/engines/cuda/cuda-update.ts';
import { useEmulation } from './emulation.ts';

const SPEC = dcgan28(4);
const ADAM = { learningRate: 2e-4, beta1: 0.5, beta2: 0.999, epsilon: 1e-8 };
const SECONDS = { start: 0, prepare: 0, compute: 0, copy: 0 };

useEmulation();
let device: UpdateDevice;
beforeAll(() => {
  device = cudaDevice(cudaRunner(0));
});

const gradient = (length: number, part: number): Float32Array =>
  fillNormal({ seed: 3, stream: 'samples', time: 0, part }, new Float32Array(length)).map((value) => value * 0.01);

/** A state with hashes in place of its arrays: to compare these number by number takes seconds. */
function hashed(value: unknown): unknown {
  if (value instanceof Float32Array) {
    const bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
    return createHash('sha256').update(bytes).digest('hex');
  }
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, hashed(part)]));
}

/** A result on the host, or on the device. */
function resultOf(values: Float32Array, isOnDevice: boolean, released: number[] = []): ShardResult {
  const rest = { seconds: SECONDS, tensors: 0, release: () => void released.push(1) };
  if (!isOnDevice) return { values, ...rest };
  const place = device.allocate(values.length);
  device.write(place, values);
  return { values: { ...place, read: () => device.read([place])[0] ?? new Float32Array() }, ...rest };
}

/** Two updates of a phase. @returns norms, and losses and outputs */
async function updateTwice(
  phase: 'generator' | 'discriminator',
  { state, update, isOnDevice }: { state: TrainingState; update: Update; isOnDevice: (i: number) => boolean },
  count: number,
): Promise<unknown[]> {
  const vector = phaseVectorOf(phase, SPEC);
  const statistics = vector.statistics.map(({ net, ...place }) => ({ net: state[net], ...place }));
  const seen: unknown[] = [];
  for (let step = 0; step < 2; step++) {
    for (let i = 0; i < count; i++) update.add(resultOf(gradient(vector.length, 100 * step + i), isOnDevice(i)));
    expect(await update.allReduce(() => ({ bad: 0, done: count }))).toEqual({ bad: 0, done: count });
    seen.push(await update.apply(ADAM, state[phase], 1 / count, statistics));
    seen.push(Object.values(vector.scalars).map((at) => update.sum[at]));
    update.reset();
  }
  return seen;
}

describe.each(['generator', 'discriminator'] as const)('the update of the %s', (phase) => {
  it.each<[number, string, (i: number) => boolean]>([
    [1, 'on the device', () => true],
    [8, 'on the device', () => true],
    [19, 'on both', (i) => i % 3 > 0],
  ])('of %i vectors that lie %s has the bits of the host', async (count, _, isOnDevice) => {
    const { length } = phaseVectorOf(phase, SPEC);
    const [expected, state] = [initialState(SPEC, 1), initialState(SPEC, 1)];
    const seen = await updateTwice(
      phase,
      { state: expected, update: createUpdate(length), isOnDevice: () => false },
      count,
    );
    const onDevice = new DeviceState(state, device);
    onDevice.begin();
    const update = createDeviceUpdate({ length, size: state[phase].parameters.length, limit: 1024 }, onDevice);
    expect(await updateTwice(phase, { state, update, isOnDevice }, count)).toEqual(seen);
    expect(hashed(state.generator.parameters)).toBe(hashed(initialState(SPEC, 1).generator.parameters)); // not there yet
    const copy = emptyState(SPEC);
    copyState(state, copy);
    copyState(expected, expected);
    expect(hashed(copy)).toEqual(hashed({ ...expected, step: 0 }));
    expect(onDevice.end()).toBeUndefined();
    expect(hashed(state)).toEqual(hashed(expected));
  });
});

it('the averaged generator moves on the device as on the host, is written and read with the state', () => {
  const [expected, state] = [initialState(SPEC, 1, true), initialState(SPEC, 1, true)];
  for (const { average } of [expected, state]) average?.parameters.fill(0.3);
  const onDevice = new DeviceState(state, device);
  onDevice.begin();
  const { average, generator } = expected;
  if (!average) throw new Error('a state without an average');
  for (const [step, decay] of [
    [1, 0.99],
    [2, 0.99],
    [5000, 0.9],
  ] as const) {
    moveAverage(average, generator, step, decay);
    onDevice.moveAverage(step, decay);
  }
  expect(state.average?.parameters[0]).toBe(Math.fround(0.3)); // not there yet
  expect(emaSha256(state)).toBe(emaSha256(expected));
  expect(onDevice.end()).toBeUndefined();
  expect(hashed(state)).toEqual(hashed(expected));
});

describe('a state on a device', () => {
  const LENGTH = phaseVectorOf('discriminator', SPEC).length;
  const VECTORS = { length: LENGTH, size: emptyState(SPEC).discriminator.parameters.length, limit: 1024 };
  const kept: Update[] = []; // what is freed waits for copies under way
  const updateOn = (held: DeviceState): Update => kept[kept.push(createDeviceUpdate(VECTORS, held)) - 1] as Update;
  const step = async (state: TrainingState, update: Update): Promise<void> => {
    update.add(resultOf(gradient(LENGTH, state.step), true));
    await update.apply(ADAM, state.discriminator, 1);
    update.reset();
    state.step += 1;
  };

  it('puts back what a discriminator phase has changed', async () => {
    const state = initialState(SPEC, 1);
    const onDevice = new DeviceState(state, device);
    onDevice.begin();
    const [update, backup] = [updateOn(onDevice), onDevice.backup()];
    backup.take();
    await step(state, update);
    state.step = 0;
    backup.restore();
    expect(onDevice.end()).toBeUndefined();
    expect(hashed(state)).toEqual(hashed(initialState(SPEC, 1)));
  });

  it('keeps a bad phase from the sum, and gives its results back', async () => {
    const onDevice = new DeviceState(initialState(SPEC, 1), device);
    onDevice.begin();
    const update = updateOn(onDevice);
    const released: number[] = [];
    update.add(resultOf(gradient(LENGTH, 1), true, released));
    expect(await update.allReduce(() => ({ bad: 2, done: 3 }))).toMatchObject({ bad: 2 });
    update.reset();
    expect(released).toHaveLength(1);
  });

  it('is that of the last copy when the device is lost, and says so', async () => {
    const state = initialState(SPEC, 1);
    let isLost = false;
    const failing: UpdateDevice = {
      ...device,
      read(from) {
        if (isLost) throw new Error('read: CUDA_ERROR_LAUNCH_FAILED (719)');
        return device.read(from);
      },
    };
    const onDevice = new DeviceState(state, failing);
    onDevice.begin();
    const update = updateOn(onDevice);
    for (let i = 0; i < HOST_COPY_STEPS; i++) {
      await step(state, update);
      onDevice.noteStep();
    }
    const copied = emptyState(SPEC);
    copyState(state, copied);
    await step(state, update);
    isLost = true;
    expect(() => copyState(state, emptyState(SPEC))).toThrow('the GPU that holds the state is lost');
    expect(onDevice.end()).toMatchObject({
      code: 'faults',
      message: 'the GPU that holds the state is lost: read: CUDA_ERROR_LAUNCH_FAILED (719)',
    });
    expect(state.step).toBe(HOST_COPY_STEPS);
    expect(hashed(state)).toEqual(hashed(copied));
  });

  it.each([
    [2, 0],
    [5, HOST_COPY_STEPS / 2],
  ])('lost %i steps after a copy was begun beside the training, it is that of step %i', async (after, copiedStep) => {
    process.env.GANGLION_CUDA_LATE = '1'; // a copy takes some steps
    const state = initialState(SPEC, 1);
    const onDevice = new DeviceState(state, device);
    onDevice.begin();
    const update = updateOn(onDevice);
    state.step = HOST_COPY_STEPS / 2 - 1;
    for (let i = 0; i <= after; i++) {
      await step(state, update);
      onDevice.noteStep();
    }
    expect(() =>
      onDevice.use(() => {
        throw new Error('lost');
      }),
    ).toThrow('the GPU that holds the state is lost: lost');
    expect(onDevice.end()).toBe(onDevice.lost);
    const expected = initialState(SPEC, 1);
    if (copiedStep > 0) {
      const onHost = createUpdate(LENGTH);
      onHost.add(resultOf(gradient(LENGTH, copiedStep - 1), false));
      await onHost.apply(ADAM, expected.discriminator, 1);
      expected.step = copiedStep;
    }
    expect([state.step, stateSha256(state)]).toEqual([copiedStep, stateSha256(expected)]);
    delete process.env.GANGLION_CUDA_LATE;
  });

  it('is lost where the device does not answer in time, which is then never waited for again', async () => {
    process.env.GANGLION_CUDA_DEVICES = '2'; // the process gives this one up for good
    const state = initialState(SPEC, 1);
    const onDevice = new DeviceState(state, cudaDevice(cudaRunner(1, 100)));
    onDevice.begin();
    const update = updateOn(onDevice);
    process.env.GANGLION_CUDA_FAIL = 'cuStreamQuery:600:0:1';
    const { generator } = onDevice.parameters;
    expect(() => onDevice.use((stuck) => stuck.read([generator]))).toThrow(
      'the GPU that holds the state is lost: the GPU has not answered for 0.1 s',
    );
    delete process.env.GANGLION_CUDA_FAIL;
    expect(() => cudaRunner(1)).toThrow('the GPU does not answer');
    expect([onDevice.isStuck(), onDevice.isStuck(1), onDevice.isStuck(0)]).toEqual([true, true, false]); // 0 is none of its
    await expect(step(state, update)).rejects.toThrow('the GPU has not answered for 0.1 s');
    expect(onDevice.end()).toBe(onDevice.lost);
    expect(stateSha256(state)).toBe(stateSha256(initialState(SPEC, 1)));
    delete process.env.GANGLION_CUDA_DEVICES;
  });

  it('is lost, without a wait of this thread, where the device does not do what it has to', async () => {
    const NUMBER = 2;
    process.env.GANGLION_CUDA_DEVICES = String(NUMBER + 1);
    const onDevice = new DeviceState(initialState(SPEC, 1), cudaDevice(cudaRunner(NUMBER, 300)));
    onDevice.begin();
    const { signal } = new AbortController();
    await onDevice.answered(signal);
    process.env.GANGLION_CUDA_FAIL = `cuStreamQuery:600:0:${NUMBER}`;
    expect(onDevice.look()).toBeUndefined(); // not yet
    await expect(onDevice.answered(AbortSignal.abort())).rejects.toThrow('aborted');
    await expect(onDevice.answered(signal)).rejects.toThrow(
      'the GPU that holds the state is lost: the GPU has not answered for 0.3 s',
    );
    delete process.env.GANGLION_CUDA_FAIL;
    delete process.env.GANGLION_CUDA_DEVICES;
  });

  it('is the newest one when the device is lost while the host has it: results that are added change nothing', async () => {
    const state = initialState(SPEC, 1);
    let isLost = false;
    const failing: UpdateDevice = {
      ...device,
      ask() {
        if (isLost) throw new Error('streamQuery: CUDA_ERROR_LAUNCH_FAILED (719)');
        return device.ask();
      },
    };
    const onDevice = new DeviceState(state, failing);
    onDevice.begin();
    const update = updateOn(onDevice);
    await step(state, update);
    const copied = emptyState(SPEC);
    copyState(state, copied);
    for (let i = 0; i < 9; i++) update.add(resultOf(gradient(LENGTH, i), true));
    expect(onDevice.look()).toBeUndefined();
    isLost = true;
    expect(onDevice.look()?.message).toBe(
      'the GPU that holds the state is lost: streamQuery: CUDA_ERROR_LAUNCH_FAILED (719)',
    );
    copyState(state, copied);
    expect(onDevice.end()).toBe(onDevice.lost);
    expect(hashed(state)).toEqual(hashed(copied));
    expect(state.step).toBe(1);
  });
});
