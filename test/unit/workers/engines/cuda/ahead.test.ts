// What a device does before the host has looked at what passes have found, in the emulation: a bad vector, and every update after it, changes
// nothing, until the host goes back.
import { beforeAll, describe, expect, it } from 'vitest';
import { emaSha256, stateSha256 } from '../../../../../coordinator/checkpoints/checkpoint.ts';
import type { TakenResult } from '../../../../../coordinator/replicas/replica.ts';
import { DeviceState } from '../../../../../coordinator/training/device-state.ts';
import { createDeviceUpdate } from '../../../../../coordinator/training/device-update.ts';
import { HOST_COPY_STEPS } from '../../../../../coordinator/training/host-copies.ts';
import { initialState } from '../../../../../coordinator/training/state.ts';
import { createUpdate } from '../../../../../coordinator/training/update.ts';
import type { UpdateDevice } from '../../../../../shared/device-memory.ts';
import { phaseVectorOf } from '../../../../../shared/model/phase-vector.ts';
import { dcgan28 } from '../../../../../shared/model/spec.ts';
import { cudaRunner } from '../../../../../workers/engines/cuda/cuda-runner.ts';
import { cudaDevice } from '../../../../../workers/engines/cuda/cuda-update.ts';
import { useEmulation } from './emulation.ts';

const SPEC = dcgan28(4);
const ADAM = { learningRate: 2e-4, beta1: 0.5, beta2: 0.999, epsilon: 1e-8 };
const LIMIT = 512;
const SECONDS = { start: 0, prepare: 0, compute: 0, copy: 0 };
const { length: LENGTH, scalars, statistics: places } = phaseVectorOf('discriminator', SPEC);
const LOSS = scalars.lossFake;

useEmulation();
let device: UpdateDevice;
beforeAll(() => {
  device = cudaDevice(cudaRunner(0));
});

/** Vectors of small gradients; the loss of the bad one is this. */
function vectorsOf(count: number, bad = -1, badLoss = Number.NaN): Float32Array[] {
  return Array.from({ length: count }, (_, part) => {
    const vector = Float32Array.from({ length: LENGTH }, (_unused, i) => ((i * 7919 + part) % 1000) / 1e5);
    if (part === bad) vector[LOSS] = badLoss;
    return vector;
  });
}

function onDevice(values: Float32Array): TakenResult {
  const place = device.allocate(values.length);
  device.write(place, values);
  const read = () => device.read([place])[0] ?? new Float32Array();
  return { values: { ...place, read }, seconds: SECONDS, tensors: 0, release() {} };
}

function begin() {
  const state = initialState(SPEC, 1, true);
  const held = new DeviceState(state, device);
  held.begin();
  const size = state.discriminator.parameters.length;
  const update = createDeviceUpdate({ length: LENGTH, size, limit: LIMIT }, held);
  const statistics = places.map(({ net, ...place }) => ({ net: state[net], ...place }));
  const apply = async (vectors: readonly Float32Array[]): Promise<number | undefined> => {
    for (const vector of vectors) update.add(onDevice(vector));
    const norm = await update.apply(ADAM, state.discriminator, 1 / vectors.length, statistics);
    update.reset();
    return norm;
  };
  return { state, held, apply };
}

describe('a bad vector', () => {
  it.each([
    ['a loss that is no number', 3, 1, Number.NaN],
    ['an infinite loss', 1, 0, Number.NEGATIVE_INFINITY],
    ['a loss that is at the limit', 8, 7, LIMIT],
    ['one of the last of many, before which the host has found nothing', 19, 18, Number.NaN],
  ])('%s: the update, and what follows, changes nothing; the host goes back', async (_, count, bad, loss) => {
    const { state, held, apply } = begin();
    const [before, average] = [stateSha256(state), emaSha256(state)];
    const backup = held.backup();
    backup.take();
    expect(await apply(vectorsOf(count, bad, loss))).toBeUndefined();
    held.moveAverage(1, 0.5);
    expect(await apply(vectorsOf(2))).toBeUndefined();
    held.undo(0, backup);
    expect([stateSha256(state), emaSha256(state)]).toEqual([before, average]);
    expect(state.discriminator.adam.beta1Power).toBe(1);
    expect(held.order({ step: 0, pass: 'fake', shard: 1 }, true).ahead).toBe(false);
    expect(held.order({ step: 1, pass: 'fake', shard: 1 }, true).ahead).toBe(true);

    const onHost = initialState(SPEC, 1, true);
    const expected = createUpdate(LENGTH);
    for (const values of vectorsOf(4)) {
      expected.add({ values, seconds: SECONDS, tensors: 0, release() {} });
    }
    const statistics = places.map(({ net, ...place }) => ({ net: onHost[net], ...place }));
    const norm = await expected.apply(ADAM, onHost.discriminator, 1 / 4, statistics);
    expect(await apply(vectorsOf(4))).toBe(norm);
    expect(held.end()).toBeUndefined();
    expect(stateSha256(state)).toBe(stateSha256(onHost));
  });

  it('just below the limit is none', async () => {
    const { apply } = begin();
    expect(await apply(vectorsOf(2, 1, 511.99))).toBeGreaterThan(0);
  });

  it('leaves no copy of a state that never was: the device is lost later, and the host has the one before', async () => {
    const { state, held, apply } = begin();
    const before = stateSha256(state);
    state.step = HOST_COPY_STEPS / 2;
    const backup = held.backup();
    backup.take();
    await apply(vectorsOf(2)); // D of the step; G's vector is bad, so the step is undone
    held.noteStep();
    state.step -= 1;
    held.undo(state.step, backup);
    held.noteStep();
    held.giveUp(new Error('gone'));
    expect(held.end()?.message).toContain('gone');
    expect([state.step, stateSha256(state)]).toEqual([0, before]);
  });
});

it('shards name the versions of the parameters that they are for, which change with every update and every way back', async () => {
  const { state, held, apply } = begin();
  const versions = () => held.order({ step: 0, pass: 'real', shard: 0 }, true).after?.versions;
  const first = versions();
  const backup = held.backup();
  backup.take();
  await apply(vectorsOf(1));
  const second = versions();
  expect([second?.generator, second?.discriminator]).toEqual([first?.generator, (first?.discriminator ?? 0) + 1]);
  held.undo(state.step, backup);
  const third = versions();
  expect(third?.generator).not.toBe(first?.generator);
  expect([first?.discriminator, second?.discriminator]).not.toContain(third?.discriminator);
});
