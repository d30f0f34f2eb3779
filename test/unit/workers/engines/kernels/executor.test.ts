import { describe, expect, it } from 'vitest';
import { Graph } from '../../../../../shared/model/graph.ts';
import { add, multiply } from '../../../../../shared/model/ops.ts';
import { PASS_PROGRAMS, samplingProgram } from '../../../../../shared/model/phases.ts';
import type { Program } from '../../../../../shared/model/program.ts';
import { dcgan28 } from '../../../../../shared/model/spec.ts';
import type { Executor } from '../../../../../workers/engines/executor.ts';
import type { KernelBinding } from '../../../../../workers/engines/kernels/binding.ts';
import { kernelExecutor } from '../../../../../workers/engines/kernels/executor.ts';
import type { NativePlan } from '../../../../../workers/engines/kernels/plan-binding.ts';
import { BATCH, LATENT, passInputs } from '../pass-inputs.ts';
import { sumProgram } from '../sum-program.ts';
import { hasKernels, kernelsRunner, loadedBinding } from './loaded.ts';

/** y = 2a + (a + b), and 2a, which is known before b. */
function lateProgram(): Program {
  const graph = new Graph();
  const a = graph.placeholder('a', [1, 2]);
  const b = graph.placeholder('b', [1, 2]);
  const twice = multiply(graph, a, graph.scalar(2));
  const y = add(graph, twice, add(graph, a, b));
  return { name: 'late', graph, inputs: { a, b }, outputs: { y, twice }, lateInputs: ['b'] };
}

const A = Float32Array.of(1, 2);
const B = Float32Array.of(10, 20);
const LATE = { y: Float32Array.of(13, 26), twice: Float32Array.of(2, 4) };

describe.skipIf(!hasKernels)('an executor of kernels', () => {
  const load = (program: Program) => kernelsRunner().load(program);

  it('gives every output under its name, in the order of the program', async () => {
    const outputs = await load(sumProgram()).run({ 'net/a.weight': A, b: B });
    expect(Object.entries(outputs)).toEqual([
      ['sum', Float32Array.of(11, 22)],
      ['x/twice', Float32Array.of(2, 4)],
      ['again', Float32Array.of(11, 22)],
    ]);
  });

  it('reads inputs anew at every run, shared and off any boundary, and its outputs belong to the caller', async () => {
    const executor = load(sumProgram());
    const a = new Float32Array(new SharedArrayBuffer(12), 4, 2);
    a.set(A);
    const first = await executor.run({ b: B, 'net/a.weight': a, other: new Float32Array(5) });
    a.set([5, 6]);
    const second = await executor.run({ b: B, 'net/a.weight': a });
    expect([...(first.sum ?? [])]).toEqual([11, 22]);
    expect([...(second.sum ?? [])]).toEqual([15, 26]);
  });

  it('writes into the arrays that it is given, and returns those', async () => {
    const into = { sum: new Float32Array(new SharedArrayBuffer(16), 8, 2), again: new Float32Array(2) };
    const outputs = await load(sumProgram()).run({ 'net/a.weight': A, b: B }, undefined, into);
    expect(outputs.sum).toBe(into.sum);
    expect(outputs.again).toBe(into.again);
    expect(outputs).toEqual({ sum: B.map((b, i) => b + i + 1), 'x/twice': LATE.twice, again: Float32Array.of(11, 22) });
    const wrong = { sum: new Float32Array(3) };
    await expect(load(sumProgram()).run({ 'net/a.weight': A, b: B }, undefined, wrong)).rejects.toThrow(
      "expected an array of the plan's length",
    );
  });

  it.each([
    ['missing', { b: B }, 'sums: input net/a.weight expected [2], got nothing'],
    ['too short', { 'net/a.weight': A, b: new Float32Array(1) }, 'sums: input b expected [2], got 1 values'],
    ['too long', { 'net/a.weight': new Float32Array(3), b: B }, 'sums: input net/a.weight expected [2], got 3 values'],
  ])('refuses an input that is %s', async (_, inputs, message) => {
    await expect(load(sumProgram()).run(inputs)).rejects.toThrow(expect.objectContaining({ code: 'shape', message }));
  });

  it('has nothing to precompute without late inputs', () => {
    expect(load(sumProgram()).precompute).toBeUndefined();
  });

  it('gives the same with and without precomputing, which needs the other inputs alone', async () => {
    const executor = load(lateProgram());
    expect(await executor.run({ a: A, b: B })).toEqual(LATE);
    const precomputed = await executor.precompute?.({ a: A, b: new Float32Array(7) });
    expect(await executor.run({ a: A, b: B }, precomputed)).toEqual(LATE);
    await expect(executor.run({ a: A, b: B }, precomputed)).rejects.toThrow('what was precomputed was used twice');
  });

  it('refuses inputs that are missing from either part, and what another has precomputed', async () => {
    const executor = load(lateProgram());
    const [early, whole, late] = ['a', 'a', 'b'].map((name) => ({
      code: 'shape',
      message: `late: input ${name} expected [1,2], got nothing`,
    }));
    await expect(executor.precompute?.({ b: B })).rejects.toThrow(expect.objectContaining(early));
    await expect(executor.run({ b: B })).rejects.toThrow(expect.objectContaining(whole));
    const precomputed = await executor.precompute?.({ a: A });
    await expect(executor.run({ a: A }, precomputed)).rejects.toThrow(expect.objectContaining(late));
    const other = await load(lateProgram()).precompute?.({ a: A });
    await expect(executor.run({ a: A, b: B }, other)).rejects.toThrow('late: precomputed by another executor');
    await expect(executor.run({ a: A, b: B }, { dispose() {} })).rejects.toThrow(
      'late: precomputed by another executor',
    );
    expect(await executor.run({ a: A, b: B })).toEqual(LATE);
  });

  it('keeps apart what is precomputed at once, to the last bit, in any order', async () => {
    const executor = load(PASS_PROGRAMS.generator(BATCH, dcgan28(LATENT)));
    const inputs = passInputs();
    const others = [1, 2].map((n) => ({ ...inputs, z: (inputs.z ?? A).map((value) => value / (n + 1)) }));
    const all = [inputs, ...others];
    const plain = await Promise.all(all.map((each) => executor.run(each)));
    const precomputed = await Promise.all(all.map((each) => executor.precompute?.(each)));
    for (const i of [2, 0]) expect(await executor.run(all[i] ?? {}, precomputed[i])).toEqual(plain[i]);
    expect(await executor.run(inputs)).toEqual(plain[0]);
    expect(await executor.run(all[1] ?? {}, precomputed[1])).toEqual(plain[1]);
    expect(plain[1]).not.toEqual(plain[0]);
  });

  it('uses memory again, also after a failure and what was dropped, and gives it back when disposed of', async () => {
    let [made, released] = [0, 0];
    const binding = loadedBinding();
    const counted: Partial<KernelBinding> = {
      createFrame(plan) {
        made += 1;
        return binding.createFrame(plan);
      },
      releaseFrame(frame) {
        released += 1;
        binding.releaseFrame(frame);
      },
    };
    const counting = Object.setPrototypeOf(counted, binding) as KernelBinding;
    const executor = kernelExecutor(counting, lateProgram()) as Executor;
    for (let i = 0; i < 5; i++) {
      await executor.run({ a: A, b: B });
      await expect(executor.run({ a: A })).rejects.toThrow('input b');
      await expect(executor.precompute?.({})).rejects.toThrow('input a');
      const dropped = await executor.precompute?.({ a: A });
      dropped?.dispose();
      dropped?.dispose(); // a second time is none
    }
    expect([made, released]).toEqual([1, 0]);
    const precomputed = await executor.precompute?.({ a: A });
    const other = await executor.precompute?.({ a: A });
    expect([made, released]).toEqual([2, 0]);
    other?.dispose();
    executor.dispose();
    expect([made, released]).toEqual([2, 1]);
    expect(await executor.run({ a: A, b: B }, precomputed)).toEqual(LATE); // what was precomputed can still be used
    expect([made, released]).toEqual([2, 2]);
    executor.dispose();
    expect([made, released]).toEqual([2, 2]);
  });

  it('does not grow where programs come and go before the garbage collector does', async () => {
    const inputs = passInputs(256, LATENT);
    const megabytes: number[] = [];
    for (let i = 0; i < 20; i++) {
      const executor = load(samplingProgram(256, dcgan28(LATENT), 'batch'));
      await executor.run(inputs);
      executor.dispose();
      megabytes.push(process.memoryUsage.rss() / 1e6);
    }
    // a run takes 23 MB, of which its images are 0.8
    expect((megabytes.at(-1) ?? 0) - (megabytes[0] ?? 0)).toBeLessThan(100);
  });

  it('is told of memory that is gone', () => {
    const binding = loadedBinding();
    const plan = binding.createPlan({
      steps: [{ kernel: 'tanh', buffers: Int32Array.of(0, 1), sizes: Int32Array.of(4), value: 0 }],
      ...{ offsets: Int32Array.of(-1, 0), lengths: Int32Array.of(4), inputs: 1, floats: 64 },
    });
    const frame = binding.createFrame(plan as NativePlan);
    const run = () => binding.run(frame, 0, 1, [new Float32Array(4)]);
    run();
    binding.releaseFrame(frame);
    expect(run).toThrow('expected an array that the steps use');
    binding.releaseFrame(frame);
  });
});
