// Runs a program by Ganglion's own kernels: one native call a run, or two where a program has late inputs.
import { GanglionError } from '../../../shared/error.ts';
import type { Shape } from '../../../shared/model/graph.ts';
import type { Program } from '../../../shared/model/program.ts';
import { sizeOf } from '../../../shared/model/shape.ts';
import type { Executor, Precomputed, Values } from '../executor.ts';
import { type Plan, planOf } from './plan.ts';
import type { NativeFrame, NativePlan, PlanBinding } from './plan-binding.ts';

/** A frame in which the precomputable instructions have run. */
class PrecomputedFrame implements Precomputed {
  readonly executor: KernelExecutor;
  readonly #release: (frame: NativeFrame) => void;
  #frame: NativeFrame | undefined;

  constructor(executor: KernelExecutor, frame: NativeFrame, release: (frame: NativeFrame) => void) {
    this.executor = executor;
    this.#frame = frame;
    this.#release = release;
  }

  /** The frame, to run the rest in. */
  get frame(): NativeFrame {
    if (!this.#frame) throw new Error('what was precomputed was used twice');
    return this.#frame;
  }

  dispose(): void {
    if (this.#frame) this.#release(this.#frame);
    this.#frame = undefined;
  }
}

class KernelExecutor implements Executor {
  readonly precompute: Executor['precompute'];
  readonly #binding: PlanBinding;
  readonly #name: string;
  readonly #plan: Plan;
  readonly #native: NativePlan;
  /** Inputs that the precomputable instructions read. */
  readonly #firstInputs: ReadonlySet<string>;
  /** Memory of runs that have ended. */
  readonly #free: NativeFrame[] = [];
  #isDisposed = false;

  constructor(binding: PlanBinding, name: string, plan: Plan, native: NativePlan) {
    this.#binding = binding;
    this.#name = name;
    this.#plan = plan;
    this.#native = native;
    const read = plan.instructions.slice(0, plan.precomputable).flatMap(({ reads }) => reads);
    const names = read.map((buffer) => plan.arrays[-1 - (plan.offsets[buffer] ?? 0)]?.name ?? '');
    this.#firstInputs = new Set(names);
    if (plan.precomputable > 0) this.precompute = async (inputs) => this.#precompute(inputs);
  }

  async run(
    inputs: Values,
    precomputed: Precomputed = this.#precompute(inputs),
    into: Values = {},
  ): Promise<Record<string, Float32Array>> {
    if (!(precomputed instanceof PrecomputedFrame) || precomputed.executor !== this)
      throw new Error(`${this.#name}: precomputed by another executor`);
    try {
      const outputs: Record<string, Float32Array> = {};
      const arrays = this.#plan.arrays.map(({ name, kind, shape }) => {
        if (kind === 'input') return this.#input(inputs, name, shape);
        const array = into[name] ?? new Float32Array(sizeOf(shape));
        outputs[name] = array;
        return array;
      });
      const { precomputable, instructions } = this.#plan;
      this.#binding.run(precomputed.frame, precomputable, instructions.length, arrays);
      return outputs;
    } finally {
      precomputed.dispose();
    }
  }

  /** What is precomputed can still be run. */
  dispose(): void {
    this.#isDisposed = true;
    for (const frame of this.#free.splice(0)) this.#binding.releaseFrame(frame);
  }

  #keep(frame: NativeFrame): void {
    if (this.#isDisposed) this.#binding.releaseFrame(frame);
    else this.#free.push(frame);
  }

  #precompute(inputs: Values): PrecomputedFrame {
    const { arrays, precomputable } = this.#plan;
    const given = arrays.map(({ name, kind, shape }) =>
      kind === 'input' && this.#firstInputs.has(name) ? this.#input(inputs, name, shape) : undefined,
    );
    const frame = this.#free.pop() ?? this.#binding.createFrame(this.#native);
    if (precomputable > 0) this.#binding.run(frame, 0, precomputable, given);
    return new PrecomputedFrame(this, frame, (ended) => this.#keep(ended));
  }

  #input(inputs: Values, name: string, shape: Shape): Float32Array {
    const values = inputs[name];
    if (values?.length === sizeOf(shape)) return values;
    const got = values ? `${values.length} values` : 'nothing';
    throw new GanglionError('shape', `${this.#name}: input ${name} expected [${shape}], got ${got}`);
  }
}

/** @returns an executor of the program; undefined when there are no kernels for it */
export function kernelExecutor(binding: PlanBinding, program: Program): Executor | undefined {
  const plan = planOf(program);
  if (!plan) return undefined;
  const native = binding.createPlan({
    steps: plan.instructions.map(({ kernel, reads, writes, sizes, value }) => ({
      kernel,
      buffers: Int32Array.of(...reads, ...writes),
      sizes: Int32Array.from(sizes),
      value,
    })),
    offsets: Int32Array.from(plan.offsets),
    lengths: Int32Array.from(plan.arrays, ({ shape }) => sizeOf(shape)),
    inputs: plan.arrays.filter(({ kind }) => kind === 'input').length,
    floats: plan.floats,
  });
  return native && new KernelExecutor(binding, program.name, plan, native);
}
