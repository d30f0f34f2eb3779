import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { ShardResult } from '../../../../coordinator/replicas/replica.ts';
import { type Communicator, SINGLE_NODE } from '../../../../coordinator/training/communicator.ts';
import { Exchange } from '../../../../coordinator/training/exchange.ts';
import { initialState } from '../../../../coordinator/training/state.ts';
import { createUpdate, javascriptKernels, loadKernels } from '../../../../coordinator/training/update.ts';
import { RESULTS_HELD } from '../../../../shared/flow.ts';
import { dcgan28 } from '../../../../shared/model/spec.ts';
import { scratchFolder } from '../../scratch.ts';

/** An entry file with this code. */
function entryOf(code: string): URL {
  const path = join(scratchFolder(), 'entry.mjs');
  writeFileSync(path, code);
  return pathToFileURL(path);
}

describe('createUpdate', () => {
  const LATENT = 1;
  const ADAM = { learningRate: 2e-4, beta1: 0.5, beta2: 0.999, epsilon: 1e-8 };
  const parameterCount = initialState(dcgan28(LATENT), 1).discriminator.parameters.length;
  const LENGTH = parameterCount + 1;
  /** One of two nodes, whose sum is `factor` times its own part. */
  const oneOfTwo = (expected: number, factor = 1) => {
    const communicator: Communicator = {
      ...SINGLE_NODE,
      members: [0, 1],
      async allReduceSum(from, into) {
        into.set(from.map((value) => factor * value));
        return true;
      },
    };
    const exchange = new Exchange({ communicator, shards: 2, shouldStop: () => false });
    return { nodes: { exchange, phase: 'generator', expected } } as const;
  };
  const places = { 'one node': () => ({}), 'one of two nodes': oneOfTwo };
  let released = 0;
  /** All gradients are `value`, and so is the number behind them. */
  const resultOf = (value: number): ShardResult => ({
    values: new Float32Array(LENGTH).fill(value),
    seconds: { start: 0, prepare: 0, compute: 0, copy: 0 },
    tensors: 0,
    release: () => {
      released += 1;
    },
  });

  it.each(Object.entries(places))('gives the same bits in %s, however many results are held', async (_, placeOf) => {
    for (const count of [1, RESULTS_HELD, RESULTS_HELD + 3]) {
      const { discriminator: net } = initialState(dcgan28(LATENT), 1);
      const update = createUpdate(LENGTH, placeOf(count));
      released = 0;
      for (let i = 0; i < count; i++) update.add(resultOf(0.5));
      expect(await update.allReduce(() => ({ bad: 0, done: count }))).toMatchObject({ bad: 0, done: count });
      const norm = update.apply(ADAM, net, 1 / count);
      expect(norm).toBeCloseTo(0.5 * Math.sqrt(parameterCount), 8);
      expect(net.adam.m[0]).toBe(0.25); // (1 - beta1) * 0.5
      expect(update.sum[parameterCount]).toBe(0.5 * count);
      expect(released).toBe(count);
    }
  });

  it('begins anew after a reset, also without a result', async () => {
    const update = createUpdate(LENGTH, oneOfTwo(1));
    const count = () => ({ bad: 0, done: 1 });
    update.add(resultOf(1));
    await update.allReduce(count);
    update.reset();
    await update.allReduce(count);
    expect(update.sum.every((value) => value === 0)).toBe(true);
  });

  it('adds the bad shards of all nodes up, and keeps no result', async () => {
    const update = createUpdate(LENGTH, oneOfTwo(8, 2));
    released = 0;
    update.add(resultOf(1));
    expect(await update.allReduce(() => ({ bad: 3, done: 4 }))).toMatchObject({ bad: 6, done: 8 });
    expect(released).toBe(1);
  });
});

describe('loadKernels', () => {
  it('takes what the entry file gives, else the JavaScript', async () => {
    const failed = () => expect.unreachable();
    const kernels = await loadKernels(entryOf("export const loadUpdate = () => ({ from: 'kernels' });"), failed);
    expect(kernels).toEqual({ from: 'kernels' });
    expect(await loadKernels(entryOf('export const loadUpdate = () => undefined;'), failed)).toBe(javascriptKernels);
  });

  it.each([
    ['that throws', "export function loadUpdate() { throw new Error('damaged'); }", 'damaged'],
    ['that does not load', "throw new Error('cannot be imported');", 'cannot be imported'],
  ])('tells of an entry file %s, and takes the JavaScript', async (_, code, message) => {
    const errors: unknown[] = [];
    expect(await loadKernels(entryOf(code), (error) => errors.push(error))).toBe(javascriptKernels);
    expect(errors).toEqual([expect.objectContaining({ message })]);
  });
});

describe('the entry file of the kernels', () => {
  const REPOSITORY = fileURLToPath(new URL('../../../..', import.meta.url));
  /** What the compiled one gives in a process of its own, and what is loaded then. */
  const load = (env: NodeJS.ProcessEnv) => {
    const code = `
      const { PROGRAMS } = await import('./dist/coordinator/run/programs.js');
      const { javascriptKernels, loadKernels } = await import('./dist/coordinator/training/update.js');
      const update = await loadKernels(PROGRAMS.updateEntry, (error) => { throw error; });
      const { readFileSync } = await import('node:fs');
      const { Module } = await import('node:module');
      const maps = readFileSync('/proc/self/maps', 'utf8');
      console.log(JSON.stringify({
        kernels: update !== javascriptKernels && maps.includes('ganglion_kernels.node'),
        tensorflow: /tensorflow|tfjs/.test(maps) || Object.keys(Module._cache).some((path) => path.includes('@tensorflow')),
      }));`;
    const options = { cwd: REPOSITORY, env: { ...process.env, ...env }, encoding: 'utf8' } as const;
    return JSON.parse(execFileSync(process.execPath, ['--input-type=module', '--eval', code], options));
  };

  it('gives them where they are built, and never loads TensorFlow', () => {
    expect(load({ GANGLION_KERNELS: 'on' })).toEqual({ kernels: true, tensorflow: false });
  });

  it('gives none where they are switched off or not built', () => {
    expect(load({ GANGLION_KERNELS: 'off' })).toEqual({ kernels: false, tensorflow: false });
    expect(load({ GANGLION_CACHE: scratchFolder() })).toEqual({ kernels: false, tensorflow: false });
  });
});
