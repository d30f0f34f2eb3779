// Runs a program on a GPU: the plan of the CPU's kernels, an instruction as one or several launches, all of them one graph.
import { GanglionError } from '../../../shared/error.ts';
import { sizeOf } from '../../../shared/model/graph.ts';
import type { Program } from '../../../shared/model/program.ts';
import type { Executor, Values } from '../executor.ts';
import { type Plan, planOf } from '../kernels/plan.ts';
import type { CudaBinding, CudaPlanSource, NativeGpu, NumberedArrays } from './binding.ts';
import { scratchOf, toLaunches } from './launches.ts';

/** Arrays begin on a boundary of this many floats. */
const ALIGNMENT = 64;

/** Lays out the memory of a plan: its arena, the arrays of a call, and scratch memory that every instruction uses anew. */
export function toCudaPlan(plan: Plan): CudaPlanSource {
  let floats = 0;
  const take = (size: number): number => {
    const place = floats;
    floats += Math.ceil(size / ALIGNMENT) * ALIGNMENT;
    return place;
  };
  take(plan.floats);
  const arrays = plan.arrays.map(({ shape }) => [take(sizeOf(shape)), sizeOf(shape)] as const);
  const scratch = take(Math.max(1, ...plan.instructions.map(scratchOf)));
  const placeOf = (buffer: number): number => {
    const offset = plan.offsets[buffer] ?? Number.NaN;
    return offset < 0 ? (arrays[-1 - offset]?.[0] ?? Number.NaN) : offset;
  };
  const launches = plan.instructions.flatMap(toLaunches).map(({ kernel, grid, threads, arguments: given }) => {
    const kinds = given.map((one) => ('int' in one ? 'i' : 'float' in one ? 'f' : 'p')).join('');
    const values = given.map((one) => {
      if ('int' in one) return one.int;
      if ('float' in one) return one.float;
      return 'buffer' in one ? placeOf(one.buffer) : scratch + one.scratch;
    });
    return { kernel, grid, threads, kinds, values };
  });
  return { launches, arrays, floats };
}

/**
 * Compiles a program for a GPU.
 *
 * @throws GanglionError `shape` when a node of it has no kernel
 */
export function cudaExecutor(binding: CudaBinding, gpu: NativeGpu, program: Program): Executor {
  const plan = planOf(program);
  if (!plan) throw new GanglionError('shape', `there are no kernels for the program ${program.name}`);
  const native = binding.createPlan(gpu, toCudaPlan(plan));
  const numbered = [...plan.arrays.entries()];
  const inputs = numbered.filter(([, { kind }]) => kind === 'input');
  const outputs = numbered.filter(([, { kind }]) => kind === 'output');
  return {
    async run(given: Values, _precomputed, into: Values = {}): Promise<Record<string, Float32Array>> {
      const up = inputs.map(([number, { name, shape }]): NumberedArrays[number] => {
        const values = given[name];
        if (values?.length === sizeOf(shape)) return [number, values];
        const got = values ? `${values.length} values` : 'nothing';
        throw new GanglionError('shape', `${program.name}: input ${name} expected [${shape}], got ${got}`);
      });
      const results: Record<string, Float32Array> = {};
      const down = outputs.map(([number, { name, shape }]): NumberedArrays[number] => {
        const values = into[name] ?? new Float32Array(sizeOf(shape));
        results[name] = values;
        return [number, values];
      });
      binding.run(native, up, down);
      return results;
    },
    dispose: () => binding.releasePlan(native),
  };
}
