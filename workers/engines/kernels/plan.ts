// The plan of a program: its kernel calls in order (lower.ts, schedule.ts), and where every tensor lies (arena.ts).
import { type Shape, tensorName } from '../../../shared/model/graph.ts';
import { neededNodes, type Program } from '../../../shared/model/program.ts';
import { sizeOf } from '../../../shared/model/shape.ts';
import { placeBuffers } from './arena.ts';
import { type KernelCall, lowerToKernels } from './lower.ts';
import { scheduleNodes } from './schedule.ts';

/** One call of a kernel. Buffers are numbers, those that it reads first; sizes and value are the kernel's own (kernels.h). */
export interface Instruction {
  readonly kernel: string;
  readonly reads: readonly number[];
  readonly writes: readonly number[];
  readonly sizes: readonly number[];
  readonly value: number;
}

/** An array of every call: an input or an output of the program. */
export interface PlannedArray {
  readonly name: string;
  readonly kind: 'input' | 'output';
  readonly shape: Shape;
}

/** A program as instructions over buffers. */
export interface Plan {
  readonly instructions: readonly Instruction[];
  /** How many of the first instructions need none of the late inputs. */
  readonly precomputable: number;
  readonly arrays: readonly PlannedArray[];
  /** Of every buffer, in floats. */
  readonly sizes: readonly number[];
  /** Of every buffer: where it lies in the arena, in floats; -1 - i when it is array i. */
  readonly offsets: readonly number[];
  /** Size of the arena, in floats. */
  readonly floats: number;
}

/** @returns the plan of a program; undefined when a node has no kernel */
export function planOf(program: Program): Plan | undefined {
  const outputs = Object.entries(program.outputs).map(([name, tensor]) => ({ name, tensor: tensorName(tensor) }));
  const lowered = lowerToKernels(neededNodes(program), new Set(outputs.map(({ tensor }) => tensor)));
  if (!lowered) return undefined;

  const late = new Set((program.lateInputs ?? []).map((name) => `${program.inputs[name]?.node}:0`));
  const { ordered, precomputable } = scheduleNodes(lowered.calls, late);
  const precomputed = new Set(ordered.slice(0, precomputable).flatMap(({ writes }) => writes));

  const arrays: PlannedArray[] = [];
  const buffers = new Map<string, { floats: number; array?: number }>();
  for (const [name, tensor] of Object.entries(program.inputs)) {
    buffers.set(tensorName(tensor), { floats: sizeOf(tensor.shape), array: arrays.length });
    arrays.push({ name, kind: 'input', shape: tensor.shape });
  }
  for (const { writes } of ordered) {
    for (const tensor of writes) buffers.set(tensor, { floats: sizeOf(lowered.shape(tensor)) });
  }
  // A constant, or what no kernel gives.
  if (ordered.some(({ reads }) => reads.some((tensor) => !buffers.has(tensor)))) return undefined;
  const copies: KernelCall[] = [];
  for (const { name, tensor } of outputs) {
    const source = lowered.resolve(tensor);
    const buffer = buffers.get(source);
    if (!buffer) return undefined;
    const array = arrays.length;
    arrays.push({ name, kind: 'output', shape: lowered.shape(tensor) });
    // The arrays of outputs are known when the run ends, not when it is precomputed; and a buffer can be one array.
    if (buffer.array === undefined && !precomputed.has(source)) buffer.array = array;
    else {
      const copy = `output ${name}, copied`; // no tensor's name, which ends in a number
      buffers.set(copy, { floats: buffer.floats, array });
      copies.push({ kernel: 'copy', reads: [source], writes: [copy], sizes: [buffer.floats], value: 0 });
    }
  }
  const names = [...buffers.keys()];
  const numbers = new Map(names.map((name, number) => [name, number]));
  const toNumbers = (tensors: readonly string[]): number[] => tensors.map((tensor) => numbers.get(tensor) ?? -1);
  const instructions = [...ordered, ...copies].map(({ kernel, reads, writes, sizes, value }) => ({
    kernel,
    reads: toNumbers(reads),
    writes: toNumbers(writes),
    sizes,
    value,
  }));
  const placed = [...buffers.values()];
  const sizes = placed.map(({ floats }) => floats);
  return { instructions, precomputable, arrays, sizes, ...placeBuffers(placed, instructions) };
}
