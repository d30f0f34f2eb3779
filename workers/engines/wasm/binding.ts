// The kernels in WebAssembly behind the same calls as those of the add-on. A module computes in memory of its own: inputs are copied in,
// results out.
import { GanglionError } from '../../../shared/error.ts';
import type { NativeFrame, NativePlan, PlanBinding, PlanSource } from '../kernels/plan-binding.ts';
import type { WasmKernels } from './kernels.ts';

const WORD = 4;

/** What is used of a plan by some of its steps. */
interface Stretch {
  /** Address of the steps' addresses. */
  readonly steps: number;
  readonly count: number;
  readonly arrays: ReadonlySet<number>;
}

interface WasmPlan {
  readonly source: PlanSource;
  /** Addresses. They are few, and stay until the module goes. */
  readonly steps: Int32Array;
  /** By their first and last step. */
  readonly stretches: Map<string, Stretch>;
}

interface WasmFrame {
  readonly plan: WasmPlan;
  readonly arena: number;
  /** Addresses of the arrays of a call. */
  readonly arrays: readonly number[];
  /** Address of the addresses of all buffers. */
  readonly buffers: number;
}

/** The kernels of a module. */
export class WasmBinding implements PlanBinding {
  readonly isa = 'wasm';
  readonly #kernels: WasmKernels;
  readonly #plans = new WeakMap<NativePlan, WasmPlan>();
  readonly #frames = new WeakMap<NativeFrame, WasmFrame>();

  constructor(kernels: WasmKernels) {
    this.#kernels = kernels;
  }

  createPlan(source: PlanSource): NativePlan | undefined {
    const steps: number[] = [];
    for (const step of source.steps) {
      const address = this.#createStep(step);
      if (address === 0) return undefined;
      steps.push(address);
    }
    const plan: NativePlan = {};
    this.#plans.set(plan, { source, steps: Int32Array.from(steps), stretches: new Map() });
    return plan;
  }

  createFrame(given: NativePlan): NativeFrame {
    const plan = found(this.#plans.get(given));
    const { offsets, lengths, floats } = plan.source;
    const arena = this.#allocate(floats);
    this.#floats(arena, floats).fill(0);
    const arrays = Array.from(lengths, (length) => this.#allocate(length));
    const addresses = Array.from(offsets, (offset) => (offset < 0 ? arrays[-1 - offset] : arena + offset * WORD) ?? 0);
    const frame: NativeFrame = {};
    this.#frames.set(frame, { plan, arena, arrays, buffers: this.#put(Int32Array.from(addresses)) });
    return frame;
  }

  releaseFrame(given: NativeFrame): void {
    const frame = this.#frames.get(given);
    if (!frame) return;
    const { arena, arrays, buffers } = frame;
    this.#frames.delete(given);
    for (const address of [arena, ...arrays, buffers]) this.#kernels.release(address);
  }

  run(given: NativeFrame, first: number, last: number, arrays: readonly (Float32Array | undefined)[]): void {
    const frame = found(this.#frames.get(given));
    const { plan, buffers } = frame;
    const { steps, count, arrays: used } = this.#stretch(plan, first, last);
    const { inputs } = plan.source;
    for (const array of used) if (array < inputs) this.#place(frame, array, arrays).set(found(arrays[array]));
    this.#kernels.runSteps(steps, count, buffers);
    for (const array of used) if (array >= inputs) found(arrays[array]).set(this.#place(frame, array, arrays));
  }

  findOutside(values: Float32Array, limit: number): number {
    const address = this.#put(values);
    const index = this.#kernels.findOutside(address, values.length, limit);
    this.#kernels.release(address);
    return index;
  }

  fillNormal(key0: number, key1: number, stream: number, time: number, part: number, out: Float32Array): void {
    const address = this.#allocate(out.length);
    this.#kernels.fillNormal(key0, key1, stream, time, part, address, out.length);
    out.set(this.#floats(address, out.length));
    this.#kernels.release(address);
  }

  #createStep({ kernel, buffers, sizes, value }: PlanSource['steps'][number]): number {
    const given = [Int8Array.from(`${kernel}\0`, (letter) => letter.charCodeAt(0)), buffers, sizes].map((array) =>
      this.#put(array),
    );
    const [name = 0, bufferNumbers = 0, extents = 0] = given;
    const step = this.#kernels.createStep(name, bufferNumbers, buffers.length, extents, sizes.length, value);
    for (const address of given) this.#kernels.release(address);
    return step;
  }

  #stretch(plan: WasmPlan, first: number, last: number): Stretch {
    const key = `${first} ${last}`;
    const known = plan.stretches.get(key);
    if (known) return known;
    const { source } = plan;
    const used = source.steps.slice(first, last).flatMap(({ buffers }) => Array.from(buffers));
    const arrays = new Set(used.map((buffer) => -1 - (source.offsets[buffer] ?? 0)).filter((array) => array >= 0));
    const stretch = { steps: this.#put(plan.steps.subarray(first, last)), count: last - first, arrays };
    plan.stretches.set(key, stretch);
    return stretch;
  }

  /** Where an array of a call lies in the memory. */
  #place({ plan, arrays }: WasmFrame, array: number, given: readonly (Float32Array | undefined)[]): Float32Array {
    const [length, got] = [plan.source.lengths[array] ?? 0, given[array]?.length ?? 0];
    if (length !== got) throw new Error(`kernels: array ${array} expected ${length} values, got ${got}`);
    return this.#floats(arrays[array] ?? 0, length);
  }

  /** A view of the memory, until more is allocated. */
  #floats(address: number, length: number): Float32Array {
    return new Float32Array(this.#kernels.memory.buffer, address, length);
  }

  #put(array: Int32Array | Int8Array | Float32Array): number {
    const address = this.#allocate(Math.ceil(array.byteLength / WORD));
    const { buffer, byteOffset, byteLength } = array;
    new Uint8Array(this.#kernels.memory.buffer, address, byteLength).set(
      new Uint8Array(buffer, byteOffset, byteLength),
    );
    return address;
  }

  /** @throws GanglionError `environment` where the memory, of 4 GiB at most, is used up */
  #allocate(words: number): number {
    const address = this.#kernels.allocate(Math.max(1, words) * WORD) >>> 0;
    if (address !== 0) return address;
    const gibibytes = (this.#kernels.memory.buffer.byteLength / 2 ** 30).toFixed(1);
    const message = `WebAssembly has no memory left (${gibibytes} GiB): expected fewer images at a time, as by more shards`;
    throw new GanglionError('environment', message);
  }
}

function found<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('kernels: expected a plan, a frame or an array that these steps use');
  return value;
}
