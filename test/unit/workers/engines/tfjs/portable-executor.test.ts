// workers/engines/tfjs/portable-executor.ts on plain JavaScript: names, inputs, tensors left behind. Its numbers: op-values.test.ts and
// test/unit/workers/engines/portable-passes.test.ts.
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { Graph } from '../../../../../shared/model/graph.ts';
import type { Pass } from '../../../../../shared/model/layout.ts';
import * as op from '../../../../../shared/model/ops.ts';
import { PASS_PROGRAMS } from '../../../../../shared/model/phases.ts';
import type { Program } from '../../../../../shared/model/program.ts';
import { dcgan28 } from '../../../../../shared/model/spec.ts';
import { bytesOf } from '../../../../../shared/process-protocol.ts';
import { loadRunner } from '../../../../../workers/engines/engines.ts';
import type { ProgramRunner } from '../../../../../workers/engines/program-runner.ts';
import { BATCH, LATENT, passInputs } from '../pass-inputs.ts';

/** sum = a + b, twice = 2a, both [2]. */
function sumProgram(): Program {
  const graph = new Graph();
  const a = graph.placeholder('net/a.weight', [2]);
  const b = graph.placeholder('b', [2]);
  const sum = op.add(graph, a, b);
  const twice = op.multiply(graph, a, graph.scalar(2));
  return { name: 'sums', graph, inputs: { 'net/a.weight': a, b }, outputs: { sum, 'x/twice': twice, again: sum } };
}

const A = Float32Array.of(1, 2);
const B = Float32Array.of(10, 20);

afterEach(() => vi.restoreAllMocks());

describe('PortableExecutor', () => {
  const backend = 'js';
  let engine: ProgramRunner;
  beforeAll(async () => {
    engine = await loadRunner(backend);
  });

  it('says what it is', () => {
    expect(engine).toMatchObject({ name: `tfjs-${backend}`, libraryVersion: '4.22.0' });
    expect(engine.device).toBeUndefined();
  });

  it('gives every output under its name, reads inputs anew, and ignores those that it does not know', async () => {
    const executor = engine.load(sumProgram());
    const a = new Float32Array(new SharedArrayBuffer(12)).subarray(1);
    a.set(A);
    const first = await executor.run({ b: B, 'net/a.weight': a, other: new Float32Array(5) });
    a.set([5, 6]);
    const second = await executor.run({ 'net/a.weight': a, b: B });
    expect(first).toEqual({
      sum: Float32Array.of(11, 22),
      'x/twice': Float32Array.of(2, 4),
      again: Float32Array.of(11, 22),
    });
    expect(second.sum).toEqual(Float32Array.of(15, 26));
    executor.dispose();
  });

  it.each([
    ['missing', { b: B }, 'sums: input net/a.weight expected [2], got nothing'],
    ['too short', { 'net/a.weight': A, b: new Float32Array(1) }, 'sums: input b expected [2], got 1 values'],
    ['too long', { 'net/a.weight': new Float32Array(3), b: B }, 'sums: input net/a.weight expected [2], got 3 values'],
  ])('refuses an input that is %s', async (_, inputs, message) => {
    const executor = engine.load(sumProgram());
    await expect(executor.run(inputs)).rejects.toThrow(expect.objectContaining({ code: 'shape', message }));
    executor.dispose();
  });

  it('names an operation that it does not know', () => {
    const graph = new Graph();
    const [y] = graph.add('NoSuchOp', [], {}, [{ shape: [1], dtype: 'float32' }]);
    if (!y) throw new Error('one output');
    const message = 'bad: the portable executor does not know the operation NoSuchOp';
    expect(() => engine.load({ name: 'bad', graph, inputs: {}, outputs: { y } })).toThrow(message);
  });

  it('leaves no tensor behind, also where a run fails', async () => {
    const before = engine.tensorCount();
    const executor = engine.load(sumProgram());
    await executor.run({ 'net/a.weight': A, b: B });
    const loaded = engine.tensorCount();
    // The first input is a tensor already when the second turns out to be missing; the first operation has run when the second fails.
    await expect(executor.run({ 'net/a.weight': A })).rejects.toThrow('input b');
    const { runKernel } = tf.engine();
    let calls = 0;
    vi.spyOn(tf.engine(), 'runKernel').mockImplementation((...given: Parameters<typeof runKernel>) => {
      if (++calls === 2) throw new Error('out of memory');
      return runKernel.apply(tf.engine(), given) as never;
    });
    await expect(executor.run({ 'net/a.weight': A, b: B })).rejects.toThrow('out of memory');
    expect(engine.tensorCount()).toBe(loaded);
    executor.dispose();
    expect(engine.tensorCount()).toBe(before);
  });
});

describe('a pass', () => {
  let engine: ProgramRunner;
  beforeAll(async () => {
    engine = await loadRunner('js');
  });
  const inputs = passInputs();
  const load = (pass: Pass) => engine.load(PASS_PROGRAMS[pass](BATCH, dcgan28(LATENT)));

  it.each(['real', 'fake', 'generator'] as const)(
    '%s: 3 calls give the same bits and leave no tensor',
    async (pass) => {
      const before = engine.tensorCount();
      const executor = load(pass);
      const first = await executor.run(inputs);
      const { numTensors, numBytes, numDataBuffers } = tf.memory();
      for (let call = 1; call < 3; call++) {
        for (const [name, values] of Object.entries(await executor.run(inputs))) {
          expect(Buffer.compare(bytesOf(values), bytesOf(first[name] ?? new Float32Array())), name).toBe(0);
        }
      }
      expect(tf.memory()).toMatchObject({ numTensors, numBytes, numDataBuffers });
      executor.dispose();
      expect(engine.tensorCount()).toBe(before);
    },
  );

  it('frees a tensor as soon as its last reader is done', async () => {
    const graph = new Graph();
    const x = graph.placeholder('x', [1000]);
    let y = x;
    for (let i = 0; i < 20; i++) y = op.add(graph, op.tanh(graph, y), y);
    const executor = engine.load({ name: 'chain', graph, inputs: { x }, outputs: { y } });
    const before = tf.memory().numBytes;
    const { runKernel } = tf.engine();
    let most = 0;
    vi.spyOn(tf.engine(), 'runKernel').mockImplementation((...kernel: Parameters<typeof runKernel>) => {
      const result = runKernel.apply(tf.engine(), kernel);
      most = Math.max(most, tf.memory().numBytes - before);
      return result as never;
    });
    await executor.run({ x: new Float32Array(1000) });
    expect(most).toBe(3 * 4000); // an addition's two inputs and its output
    executor.dispose();
  });
});
