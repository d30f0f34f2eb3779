// Kernels of CUDA beside those of the CPU, bit by bit: in the emulation (passes.test.ts) and on a GPU (test/gpu/kernels.ts).

import { PASS_PROGRAMS, samplingProgram } from '../../../../../shared/model/phases.ts';
import type { Program } from '../../../../../shared/model/program.ts';
import { sizeOf } from '../../../../../shared/model/shape.ts';
import type { ModelSpec } from '../../../../../shared/model/spec.ts';
import { fillNormal } from '../../../../../shared/random.ts';
import type { Executor } from '../../../../../workers/engines/executor.ts';

type Named = readonly [name: string, make: (batch: number) => Program];

/** Every program of a run: all kernels are in one of them. */
export function programsOf(spec: ModelSpec): readonly Named[] {
  return [
    ['the pass on real images', (batch) => PASS_PROGRAMS.real(batch, spec)],
    ['the pass on fake images', (batch) => PASS_PROGRAMS.fake(batch, spec)],
    ['the pass of the generator', (batch) => PASS_PROGRAMS.generator(batch, spec)],
    ['samples on running statistics', (batch) => samplingProgram(batch, spec, 'running')],
    ['samples on those of the batch', (batch) => samplingProgram(batch, spec, 'batch')],
  ];
}

/** Factors of the inputs, by place. */
export const KINDS: Readonly<Record<string, readonly number[]>> = {
  plain: [0.1],
  tiny: [1e-30],
  large: [1e4],
  'mixed with -0 and subnormal': [0.1, -0, 1e-39, 1e-20, 10, 0],
};

/** Values for the inputs of a program, the same at every call. */
export function inputsOf(program: Program, factors: readonly number[]): Record<string, Float32Array> {
  const entries = Object.entries(program.inputs).map(([name, { shape }], part) => {
    const values = fillNormal({ seed: 3, stream: 'samples', time: 0, part }, new Float32Array(sizeOf(shape)));
    const scaled = values.map((value, i) => value * (factors[(i * 5 + (i >> 4)) % factors.length] ?? 1));
    return [name, name.endsWith('variance') ? scaled.map(Math.abs) : scaled] as const;
  });
  return Object.fromEntries(entries);
}

/** NaN as one: no computation depends on the bits of a NaN. */
const toHex = (values: Float32Array): string =>
  Buffer.from(values.map((value) => (Number.isNaN(value) ? Number.NaN : value)).buffer).toString('hex');

/** Names of the outputs that two executors of a program give other bits, or one of them alone. */
export async function differences(
  one: Executor,
  other: Executor,
  inputs: Record<string, Float32Array>,
): Promise<string[]> {
  const [expected, got] = [await one.run(inputs), await other.run(inputs)];
  const none = new Float32Array();
  const names = new Set([...Object.keys(expected), ...Object.keys(got)]);
  return [...names].filter((name) => toHex(expected[name] ?? none) !== toHex(got[name] ?? none));
}
