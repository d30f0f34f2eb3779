import { describe, expect, it } from 'vitest';
import { Graph, type Tensor } from '../../../../../shared/model/graph.ts';
import * as op from '../../../../../shared/model/ops.ts';
import { PASS_PROGRAMS, samplingProgram } from '../../../../../shared/model/phases.ts';
import type { Program } from '../../../../../shared/model/program.ts';
import { dcgan28 } from '../../../../../shared/model/spec.ts';
import { kernelRunner } from '../../../../../workers/engines/kernels/kernel-runner.ts';
import { type Plan, planOf } from '../../../../../workers/engines/kernels/plan.ts';
import { hasKernels, loadedBinding } from './loaded.ts';

/** A graph under construction. */
class Building {
  readonly graph = new Graph();
  readonly inputs: Record<string, Tensor> = {};

  input(name: string, ...shape: number[]): Tensor {
    const tensor = this.graph.placeholder(name, shape);
    this.inputs[name] = tensor;
    return tensor;
  }

  program(outputs: Record<string, Tensor>, lateInputs?: string[]): Program {
    return { name: 'test', graph: this.graph, inputs: this.inputs, outputs, ...(lateInputs ? { lateInputs } : {}) };
  }

  plan(outputs: Record<string, Tensor>, lateInputs?: string[]): Plan {
    const plan = planOf(this.program(outputs, lateInputs));
    if (!plan) throw new Error('no plan');
    return plan;
  }
}

const kernelsOf = ({ instructions }: Plan): string[] => instructions.map(({ kernel }) => kernel);
/** Instructions with their values, where they have one. */
const valuesOf = ({ instructions }: Plan): [string, number][] =>
  instructions.map(({ kernel, value }) => [kernel, value]);

describe('what becomes one instruction', () => {
  it.each([
    ['Relu', (graph: Graph, x: Tensor) => op.relu(graph, x), 0],
    ['LeakyRelu', (graph: Graph, x: Tensor) => op.leakyRelu(graph, x, 0.25), 0.25],
  ] as const)('BatchNorm and %s, on either statistics', (_, activate, slope) => {
    const b = new Building();
    const [x, w] = [b.input('x', 2, 4, 4, 16), b.input('w', 16)];
    const norm = op.batchNorm(b.graph, x, w, w, 1e-5);
    const fixed = op.fixedBatchNorm(b.graph, x, [w, w, w, w], 1e-5);
    const outputs = { y: activate(b.graph, norm.y), fixed: activate(b.graph, fixed) };
    expect(valuesOf(b.plan(outputs))).toEqual([
      ['normalise', slope],
      ['normaliseFixed', slope],
    ]);
    // What others read, or the caller wants, has to be there without the activation.
    expect(valuesOf(b.plan({ ...outputs, norm: norm.y }))).toEqual([
      ['normaliseFixed', slope],
      ['normalise', 1],
      ['activate', slope],
    ]);
    const twice = op.add(b.graph, norm.y, norm.y);
    expect(kernelsOf(b.plan({ ...outputs, twice })).sort()).toEqual(['activate', 'add', 'normalise', 'normaliseFixed']);
  });

  it('the gradients of an activation and of BatchNorm', () => {
    const b = new Building();
    const [x, w, dy] = [b.input('x', 2, 4, 4, 16), b.input('w', 16), b.input('dy', 2, 4, 4, 16)];
    const norm = op.batchNorm(b.graph, x, w, w, 1e-5);
    const y = op.leakyRelu(b.graph, norm.y, 0.25);
    const dNorm = op.leakyReluGradient(b.graph, dy, y, 0.25);
    const { dx, dScale } = op.batchNormGradient(b.graph, norm, dNorm);
    expect(valuesOf(b.plan({ dx, dScale }))).toEqual([
      ['normalise', 0.25],
      ['normaliseGradient', 0.25],
    ]);
    expect(valuesOf(b.plan({ dx, dNorm }))).toEqual([
      ['normalise', 0.25],
      ['activateGradient', 0.25],
      ['normaliseGradient', 1],
    ]);
    // An activation itself is no gradient of one.
    const other = op.batchNormGradient(b.graph, norm, op.relu(b.graph, dy));
    expect(valuesOf(b.plan({ dx: other.dx }))).toEqual([
      ['normalise', 1],
      ['activate', 0],
      ['normaliseGradient', 1],
    ]);
  });

  it('a bias and its activation; the gradients of both', () => {
    const b = new Building();
    const [x, bias, dy] = [b.input('x', 2, 4, 4, 16), b.input('bias', 16), b.input('dy', 2, 4, 4, 16)];
    const y = op.leakyRelu(b.graph, op.addBias(b.graph, x, bias), 0.25);
    const dx = op.leakyReluGradient(b.graph, dy, y, 0.25);
    const dBias = op.biasGradient(b.graph, dx);
    expect(valuesOf(b.plan({ dx, dBias }))).toEqual([
      ['addBias', 0.25],
      ['addBiasGradient', 0.25],
    ]);
    expect(valuesOf(b.plan({ dBias }))).toEqual(valuesOf(b.plan({ dx, dBias })));
    expect(valuesOf(b.plan({ dx }))).toEqual([
      ['addBias', 0.25],
      ['activateGradient', 0.25],
    ]);
  });

  it('nothing that only changes a shape, or is padding of a filter gradient', () => {
    const b = new Building();
    const [x, dy] = [b.input('x', 2, 784), b.input('dy', 2, 16, 16, 16)];
    const images = op.reshape(b.graph, x, [2, 28, 28, 1]);
    const dw = op.filterGradient(b.graph, images, dy, { stride: 2, padding: 3 }, [4, 4, 1, 16]);
    const plan = b.plan({ dw });
    expect(plan.instructions).toEqual([
      { kernel: 'convolveFilter', reads: [0, 1], writes: [2], sizes: [28, 1, 16, 2], value: 0 },
    ]);
    expect(plan.offsets).toEqual([-1, -2, -3]);
  });

  it('so much that the passes have few instructions', () => {
    const count = (program: Program) => planOf(program)?.instructions.length;
    expect(count(PASS_PROGRAMS.real(32, dcgan28(100)))).toBe(24);
    expect(count(samplingProgram(32, dcgan28(100), 'running'))).toBe(8);
  });
});

describe('the order', () => {
  it('puts what nobody waits for right behind what it reads', () => {
    const b = new Building();
    const x = b.input('x', 8);
    const a = op.tanh(b.graph, x);
    const c = op.sigmoid(b.graph, a);
    const d = op.tanh(b.graph, c);
    const ofA = op.add(b.graph, a, x); // the last node but the first that could go
    const ofX = op.multiply(b.graph, x, b.graph.scalar(2));
    const ofC = op.add(b.graph, c, a);
    const plan = b.plan({ d, ofA, ofX, ofC });
    expect(kernelsOf(plan)).toEqual(['multiplyScalar', 'tanh', 'add', 'sigmoid', 'tanh', 'add']);
  });

  it('computes every buffer before it is read, and what is precomputable without late inputs, in every pass', () => {
    for (const [pass, program] of Object.entries(PASS_PROGRAMS)) {
      const { lateInputs = [] } = program(4, dcgan28(7));
      const plan = planOf(program(4, dcgan28(7))) as Plan;
      const arrayOf = (buffer: number) => plan.arrays[-1 - (plan.offsets[buffer] ?? 0)];
      const written = new Set<number>();
      const lateReads = plan.instructions.map(({ reads, writes }) => {
        for (const buffer of reads) expect(written.has(buffer) || arrayOf(buffer)?.kind === 'input', pass).toBe(true);
        for (const buffer of writes) written.add(buffer);
        return reads.some((buffer) => lateInputs.includes(arrayOf(buffer)?.name ?? ''));
      });
      const outputs = plan.offsets.flatMap((_, buffer) => (arrayOf(buffer)?.kind === 'output' ? [buffer] : []));
      expect(outputs.filter((buffer) => !written.has(buffer))).toEqual([]);
      expect(outputs.length).toBe(plan.arrays.filter(({ kind }) => kind === 'output').length);
      if (pass === 'generator') {
        // the images: a product, three convolutions, three norms, tanh
        expect(kernelsOf(plan).slice(0, plan.precomputable)).toEqual([
          ...['multiply', 'normalise', 'convolveTransposed', 'normalise'],
          ...['convolveTransposed', 'normalise', 'convolveTransposed', 'tanh'],
        ]);
        expect(lateReads.indexOf(true)).toBe(plan.precomputable);
        // outputs are known when the run ends: none is precomputed
        const precomputed = plan.instructions.slice(0, plan.precomputable).flatMap(({ writes }) => writes);
        expect(precomputed.filter((buffer) => outputs.includes(buffer))).toEqual([]);
      } else expect(plan.precomputable).toBe(0);
    }
  });

  it('has nothing precomputable where everything is late', () => {
    const b = new Building();
    const plan = b.plan({ y: op.tanh(b.graph, b.input('x', 8)) }, ['x']);
    expect([plan.precomputable, kernelsOf(plan)]).toEqual([0, ['tanh']]);
  });
});

describe('outputs', () => {
  it('may be one tensor twice, an input, the same in another shape, or called as a tensor is', () => {
    const b = new Building();
    const x = b.input('x', 2, 3);
    const y = op.tanh(b.graph, x);
    const flat = op.reshape(b.graph, y, [6]);
    const plan = b.plan({ y, again: y, flat, x, 'x:0': y, [`${y.node}:0`]: y });
    expect(kernelsOf(plan)).toEqual(['tanh', 'copy', 'copy', 'copy', 'copy', 'copy']);
    expect(plan.arrays.map(({ name, kind, shape }) => [name, kind, shape])).toEqual([
      ['x', 'input', [2, 3]],
      ['y', 'output', [2, 3]],
      ['again', 'output', [2, 3]],
      ['flat', 'output', [6]],
      ['x', 'output', [2, 3]],
      ['x:0', 'output', [2, 3]],
      [`${y.node}:0`, 'output', [2, 3]],
    ]);
    const [tanh, ...copies] = plan.instructions;
    const offset = (buffer = -1) => plan.offsets[buffer];
    expect(offset(tanh?.writes[0])).toBe(-2);
    expect(copies.map(({ reads, writes }) => [offset(reads[0]), offset(writes[0])])).toEqual([
      [-2, -3],
      [-2, -4],
      [-1, -5],
      [-2, -6],
      [-2, -7],
    ]);
  });
});

describe('a program without kernels', () => {
  it.each<[string, (b: Building) => Tensor | undefined]>([
    ['an operation that is unknown', (b) => b.graph.add('Exp', [b.input('x', 4)], {}, [b.input('y', 4)])[0]],
    ['a product of two tensors', (b) => op.multiply(b.graph, b.input('x', 4), b.input('y', 4))],
    ['a scalar that is no constant', (b) => op.multiply(b.graph, b.input('x', 4), b.input('y'))],
    ['a constant tensor', (b) => op.add(b.graph, b.input('x', 2), b.graph.constant(Float32Array.of(1, 2), [2]))],
    ['a constant output', (b) => b.graph.constant(Float32Array.of(1, 2), [2])],
    [
      'both matrices transposed',
      (b) => {
        return op.matMul(b.graph, b.input('x', 3, 2), b.input('y', 4, 3), { transposeA: true, transposeB: true });
      },
    ],
    [
      'an image of another margin',
      (b) => {
        return op.convolution(b.graph, b.input('x', 1, 28, 28, 1), b.input('w', 4, 4, 1, 16), {
          stride: 2,
          padding: 0,
        });
      },
    ],
    [
      'features of another margin',
      (b) => {
        return op.convolution(b.graph, b.input('x', 1, 16, 16, 16), b.input('w', 4, 4, 16, 32), {
          stride: 2,
          padding: 3,
        });
      },
    ],
    [
      'images that are not square',
      (b) => {
        return op.convolution(b.graph, b.input('x', 1, 16, 8, 16), b.input('w', 4, 4, 16, 32), {
          stride: 2,
          padding: 1,
        });
      },
    ],
    [
      'a filter of another size',
      (b) => {
        return op.convolution(b.graph, b.input('x', 1, 16, 16, 16), b.input('w', 2, 2, 16, 32), {
          stride: 2,
          padding: 0,
        });
      },
    ],
    [
      'a filter that moves by one pixel',
      (b) => {
        return op.convolution(b.graph, b.input('x', 1, 5, 5, 16), b.input('w', 4, 4, 16, 32), {
          stride: 1,
          padding: 0,
        });
      },
    ],
    [
      'a BatchNorm of another epsilon',
      (b) => op.batchNorm(b.graph, b.input('x', 1, 2, 2, 16), b.input('w', 16), b.input('v', 16), 1e-3).y,
    ],
    ['the gradient of a bias of several channels alone', (b) => op.biasGradient(b.graph, b.input('x', 2, 16))],
    [
      'what a BatchNorm reserves beside its statistics',
      (b) => {
        return op.batchNorm(b.graph, b.input('x', 1, 2, 2, 16), b.input('w', 16), b.input('v', 16), 1e-5).reserved[2];
      },
    ],
  ])('%s: no plan', (_, build) => {
    const b = new Building();
    const y = build(b);
    expect(y).toBeDefined();
    expect(planOf(b.program({ y: y as Tensor }))).toBeUndefined();
  });

  it.skipIf(!hasKernels)('is refused by its name, also where only the size of an instruction has none', () => {
    const b = new Building();
    const [x, y] = [b.input('x', 1, 2), b.input('y', 2, 3)];
    const product = op.matMul(b.graph, x, y);
    const program = b.program({ product, twice: op.multiply(b.graph, product, b.graph.scalar(2)) });
    const plan = planOf(program) as Plan;
    const source = {
      steps: plan.instructions.map(({ kernel, reads, writes, sizes, value }) => ({
        ...{ kernel, value, sizes: Int32Array.from(sizes) },
        buffers: Int32Array.of(...reads, ...writes),
      })),
      ...{ offsets: Int32Array.from(plan.offsets), floats: plan.floats, lengths: Int32Array.of(2, 6, 3, 3) },
      inputs: 2,
    };
    expect(loadedBinding().createPlan(source)).toBeUndefined();
    expect(() => kernelRunner().load(program)).toThrow('there are no kernels for the program test');
    const unknown = b.graph.add('Exp', [x], {}, [x])[0] as Tensor;
    expect(() => kernelRunner().load(b.program({ unknown }))).toThrow('there are no kernels for the program test');
  });
});
