import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Graph } from '../../../../../shared/model/graph.ts';
import { add, multiply } from '../../../../../shared/model/ops.ts';
import type { Program } from '../../../../../shared/model/program.ts';
import { loadBinding, type NativeBinding } from '../../../../../workers/engines/tensorflow/binding.ts';
import { TensorflowExecutor } from '../../../../../workers/engines/tensorflow/executor.ts';
import { scratchFolder } from '../../../scratch.ts';
import { sumProgram } from '../sum-program.ts';

const binding = loadBinding();

/** The library with some of its functions replaced. */
function replaced(functions: Partial<NativeBinding>): NativeBinding {
  return new Proxy({} as NativeBinding, { get: (_, key) => Reflect.get(key in functions ? functions : binding, key) });
}

const A = Float32Array.of(1, 2);
const B = Float32Array.of(10, 20);

afterEach(() => vi.unstubAllEnvs());

describe('a program with late inputs', () => {
  /** y = (2a)(b + a) and what of it needs no b. */
  function lateProgram(): Program {
    const graph = new Graph();
    const a = graph.placeholder('a', [2]);
    const b = graph.placeholder('b', [2]);
    const twice = multiply(graph, a, graph.scalar(2));
    const y = multiply(graph, twice, add(graph, b, a));
    return { name: 'late', graph, inputs: { a, b }, outputs: { y, twice }, lateInputs: ['b'] };
  }

  it('gives the same with and without precomputing, which needs the other inputs only', async () => {
    const executor = new TensorflowExecutor(binding, lateProgram());
    const expected = { y: Float32Array.of(22, 88), twice: Float32Array.of(2, 4) };
    expect(await executor.run({ a: A, b: B })).toEqual(expected);
    const precomputed = await executor.precompute?.({ a: A });
    expect(await executor.run({ a: A, b: B }, precomputed)).toEqual(expected);
    expect(binding.getNumOfTensors()).toBe(0);
    executor.dispose();
  });

  it('keeps what was precomputed until it is used or dropped, whatever becomes of the inputs', async () => {
    const executor = new TensorflowExecutor(binding, lateProgram());
    const a = A.slice();
    const precomputed = await executor.precompute?.({ a });
    a.fill(7);
    expect((await executor.run({ a: A, b: B }, precomputed)).twice).toEqual(Float32Array.of(2, 4));
    const dropped = await executor.precompute?.({ a: A });
    expect(binding.getNumOfTensors()).toBe(2); // `twice` as an output, and handed over
    dropped?.dispose();
    expect(binding.getNumOfTensors()).toBe(0);
    executor.dispose();
  });

  it('refuses inputs that are missing from either half, and frees what was precomputed', async () => {
    const executor = new TensorflowExecutor(binding, lateProgram());
    await expect(executor.precompute?.({ b: B })).rejects.toThrow('late, first: input a expected [2], got nothing');
    const precomputed = await executor.precompute?.({ a: A });
    await expect(executor.run({ a: A }, precomputed)).rejects.toThrow('late, rest: input b expected [2], got nothing');
    expect(binding.getNumOfTensors()).toBe(0);
    executor.dispose();
  });

  it('has nothing to precompute without late inputs', () => {
    const executor = new TensorflowExecutor(binding, sumProgram());
    expect(executor.precompute).toBeUndefined();
    executor.dispose();
  });
});

describe('TensorflowExecutor', () => {
  it('gives every output under its name', async () => {
    const executor = new TensorflowExecutor(binding, sumProgram());
    const outputs = await executor.run({ 'net/a.weight': A, b: B });
    expect(outputs).toEqual({
      sum: Float32Array.of(11, 22),
      'x/twice': Float32Array.of(2, 4),
      again: Float32Array.of(11, 22),
    });
    executor.dispose();
  });

  it('reads inputs anew at every run, and its outputs belong to the caller', async () => {
    const executor = new TensorflowExecutor(binding, sumProgram());
    const a = new Float32Array(new SharedArrayBuffer(8));
    a.set(A);
    const first = await executor.run({ b: B, 'net/a.weight': a });
    a.set([5, 6]);
    const second = await executor.run({ b: B, 'net/a.weight': a });
    executor.dispose();
    expect([...(first.sum ?? [])]).toEqual([11, 22]);
    expect([...(second.sum ?? [])]).toEqual([15, 26]);
  });

  it('takes arrays that do not begin on a 64-byte boundary, and ignores inputs that it does not know', async () => {
    const executor = new TensorflowExecutor(binding, sumProgram());
    const shifted = Float32Array.of(0, 1, 2, 0).subarray(1, 3);
    const { sum } = await executor.run({ 'net/a.weight': shifted, b: B, other: new Float32Array(5) });
    expect([...(sum ?? [])]).toEqual([11, 22]);
    executor.dispose();
  });

  it.each([
    ['missing', { b: B }, 'sums: input net/a.weight expected [2], got nothing'],
    ['too short', { 'net/a.weight': A, b: new Float32Array(1) }, 'sums: input b expected [2], got 1 values'],
    ['too long', { 'net/a.weight': new Float32Array(3), b: B }, 'sums: input net/a.weight expected [2], got 3 values'],
  ])('refuses an input that is %s', async (_, inputs, message) => {
    const executor = new TensorflowExecutor(binding, sumProgram());
    await expect(executor.run(inputs)).rejects.toThrow(expect.objectContaining({ code: 'shape', message }));
    executor.dispose();
  });

  it('leaves no tensor and no model behind, also where a run fails', async () => {
    const before = [binding.getNumOfTensors(), binding.getNumOfSavedModels()];
    const executor = new TensorflowExecutor(binding, sumProgram());
    expect(binding.getNumOfSavedModels()).toBe((before[1] ?? 0) + 1);
    for (let i = 0; i < 5; i++) await executor.run({ 'net/a.weight': A, b: B });
    // `a` is a tensor already when `b` turns out to be missing.
    await expect(executor.run({ 'net/a.weight': A })).rejects.toThrow('input b');
    const runSavedModel = (): never => {
      throw new Error('out of memory');
    };
    const broken = new TensorflowExecutor(replaced({ runSavedModel }), sumProgram());
    await expect(broken.run({ 'net/a.weight': A, b: B })).rejects.toThrow('out of memory');
    broken.dispose();
    executor.dispose();
    expect([binding.getNumOfTensors(), binding.getNumOfSavedModels()]).toEqual(before);
  });

  it('removes its temporary folder, also where TensorFlow refuses the graph', () => {
    const folder = scratchFolder();
    vi.stubEnv('TMPDIR', folder);
    let written = '';
    const loadSavedModel = (path: string, tags: string): number => {
      written = path;
      expect(existsSync(join(path, 'saved_model.pb'))).toBe(true);
      return binding.loadSavedModel(path, tags);
    };
    new TensorflowExecutor(replaced({ loadSavedModel }), sumProgram()).dispose();
    expect(written.startsWith(join(folder, 'ganglion-graph-'))).toBe(true);
    expect(readdirSync(folder)).toEqual([]);

    const graph = new Graph();
    const [y] = graph.add('NoSuchOp', [], {}, [{ shape: [1], dtype: 'float32' }]);
    if (!y) throw new Error('one output');
    expect(() => new TensorflowExecutor(binding, { name: 'bad', graph, inputs: {}, outputs: { y } })).toThrow(
      'NoSuchOp',
    );
    expect(readdirSync(folder)).toEqual([]);
  });
});
