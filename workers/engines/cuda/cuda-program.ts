// A program on a GPU: its memory, for one or several shards at a time, and its kernels as graphs. Each launch waits only for those that write what
// it reads, so gradients of filters run beside the rest: buffers share no memory.
import { GanglionError } from '../../../shared/error.ts';
import type { Program } from '../../../shared/model/program.ts';
import { sizeOf } from '../../../shared/model/shape.ts';
import { type Plan, planOf } from '../kernels/plan.ts';
import type {
  Address,
  CudaBinding,
  GraphLaunch,
  NativeGpu,
  NativeGraph,
  NativeMemory,
  NativeStream,
} from './binding.ts';
import { type Argument, type Launch, scratchOf, toLaunches } from './launches.ts';

const FLOAT = Float32Array.BYTES_PER_ELEMENT;
/** Buffers begin on a boundary of this many floats. */
const ALIGNMENT = 64;

/** Where an array of a program lies: the values of a shard, and those of the next behind them. */
export interface PlacedArray {
  readonly name: string;
  readonly address: Address;
  /** Values of a shard. */
  readonly size: number;
}

/** A launch beside those of the program, by addresses. */
export interface OwnLaunch extends Omit<Launch, 'arguments'> {
  readonly arguments: readonly (Argument | { readonly address: Address })[];
  /** Arrays that it reads or writes in other ways than through its arguments, or other names for what one writes and another reads. */
  readonly reads?: readonly string[];
  readonly writes?: readonly string[];
}

/** Which part of a program: that which needs no late input, the rest, or both. */
export type Part = 'first' | 'rest' | 'all';

export interface CudaProgramOptions {
  /** Shards that can be computed at a time. */
  readonly capacity: number;
  /** Inputs that lie elsewhere, the same for all shards. */
  readonly given?: Readonly<Record<string, Address>>;
  /** What runs before the program, of so many shards: it makes inputs. */
  readonly before?: (shards: number) => readonly OwnLaunch[];
  /** What runs after it. */
  readonly after?: (shards: number) => readonly OwnLaunch[];
}

export class CudaProgram {
  readonly #binding: CudaBinding;
  readonly #gpu: NativeGpu;
  readonly #plan: Plan;
  readonly #options: CudaProgramOptions;
  readonly #memory: NativeMemory;
  /** Of buffers that are others. */
  readonly #sources: ReadonlyMap<number, number>;
  /** Of every buffer. */
  readonly #addresses: readonly Address[];
  /** Of the scratch memory of every instruction. */
  readonly #scratch: readonly Address[];
  readonly #arrays: ReadonlyMap<string, PlacedArray & { readonly buffer: number; readonly isShared: boolean }>;
  readonly #graphs = new Map<string, NativeGraph>();
  /** Where its memory begins. */
  readonly base: Address;

  /** @throws GanglionError `shape` when a node of the program has no kernel */
  constructor(binding: CudaBinding, gpu: NativeGpu, program: Program, options: CudaProgramOptions) {
    const plan = planOf(program);
    if (!plan) throw new GanglionError('shape', `there are no kernels for the program ${program.name}`);
    const { capacity, given = {} } = options;
    let floats = 0;
    const take = (size: number): number => {
      const place = floats;
      floats += Math.ceil(size / ALIGNMENT) * ALIGNMENT;
      return place;
    };
    const arrayOf = (buffer: number) => plan.arrays[-1 - (plan.offsets[buffer] ?? 0)];
    const isGiven = (buffer: number): boolean => (arrayOf(buffer)?.name ?? '') in given;
    // An output that is a copy of another buffer is that buffer.
    const copies = plan.instructions.filter(({ kernel, reads: [from = -1] }) => kernel === 'copy' && !isGiven(from));
    this.#sources = new Map(copies.map(({ reads: [from = -1], writes: [to = -1] }) => [to, from]));
    const places = plan.sizes.map((size, buffer) =>
      isGiven(buffer) || this.#sources.has(buffer) ? -1 : take(size * capacity),
    );
    const scratch = plan.instructions.map((instruction) => {
      const { once, shard } = scratchOf(instruction);
      return take(once + shard * capacity);
    });
    this.#binding = binding;
    this.#gpu = gpu;
    this.#plan = plan;
    this.#options = options;
    this.#memory = binding.allocate(gpu, Math.max(1, floats) * FLOAT);
    this.base = binding.addressOf(this.#memory);
    const addressOf = (place: number): Address => this.base + place * FLOAT;
    this.#addresses = places.map((place, buffer) => {
      const source = this.#sources.get(buffer);
      if (source !== undefined) return addressOf(places[source] ?? Number.NaN);
      return place < 0 ? (given[arrayOf(buffer)?.name ?? ''] ?? Number.NaN) : addressOf(place);
    });
    this.#scratch = scratch.map(addressOf);
    const arrays = plan.sizes.flatMap((_, buffer) => {
      const array = arrayOf(buffer);
      if (!array) return [];
      const { name, shape } = array;
      const address = this.#addresses[buffer] ?? Number.NaN;
      return [[name, { name, address, size: sizeOf(shape), buffer, isShared: name in given }] as const];
    });
    this.#arrays = new Map(arrays);
  }

  /** Whether a part of it needs no late input. */
  get hasFirst(): boolean {
    return this.#plan.precomputable > 0;
  }

  array(name: string): PlacedArray {
    const array = this.#arrays.get(name);
    if (!array) throw new Error(`the program has no array ${name}`);
    return array;
  }

  /** Names of its inputs or of its outputs. */
  names(kind: 'input' | 'output'): string[] {
    return this.#plan.arrays.filter((array) => array.kind === kind).map(({ name }) => name);
  }

  /** Begins a part of it for so many shards. */
  run(stream: NativeStream, shards: number, part: Part = 'all'): void {
    const key = `${part} ${shards}`;
    let graph = this.#graphs.get(key);
    if (!graph) {
      graph = this.#binding.createGraph(this.#gpu, this.launches(shards, part));
      this.#graphs.set(key, graph);
    }
    this.#binding.runGraph(graph, stream);
  }

  dispose(): void {
    this.#graphs.clear();
    this.#binding.release(this.#memory);
  }

  /** The launches of a part. */
  launches(shards: number, part: Part): GraphLaunch[] {
    const { instructions, precomputable } = this.#plan;
    const { before, after } = this.#options;
    const multiprocessors = this.#binding.multiprocessors(this.#gpu);
    const buffersOf = (names: readonly string[] = []): string[] =>
      names.map((name) => {
        const { buffer } = this.#arrays.get(name) ?? {};
        return buffer === undefined ? name : toKey(this.#sources.get(buffer) ?? buffer);
      });
    const isShared = (buffer: number): boolean =>
      [...this.#arrays.values()].some((one) => one.buffer === buffer && one.isShared);
    /** Of every buffer and scratch memory: the number of the launch that writes it. */
    const writers = new Map<string, number>();
    const launches: GraphLaunch[] = [];
    const add = (launch: OwnLaunch, instruction: number): void => {
      const memory = launch.arguments.flatMap((argument) =>
        'isWritten' in argument || 'scratch' in argument ? argument : [],
      );
      const key = (one: (typeof memory)[number]): string =>
        'buffer' in one ? toKey(one.buffer) : `scratch ${instruction}`;
      const writes = (one: (typeof memory)[number]): boolean =>
        'buffer' in one ? one.isWritten : one.scratch === 'written';
      const reads = [...memory.filter((one) => !writes(one)).map(key), ...buffersOf(launch.reads)];
      const after = new Set(reads.flatMap((one) => writers.get(one) ?? []));
      for (const one of [...memory.filter(writes).map(key), ...buffersOf(launch.writes)])
        writers.set(one, launches.length);
      const { kernel, grid, threads } = launch;
      launches.push({ kernel, grid, threads, ...this.#resolve(launch, instruction), after: [...after] });
    };
    if (part !== 'rest') for (const launch of before?.(shards) ?? []) add(launch, -1);
    const [first, last] = [part === 'rest' ? precomputable : 0, part === 'first' ? precomputable : instructions.length];
    for (const [i, instruction] of [...instructions.entries()].slice(first, last)) {
      if (instruction.kernel === 'copy' && this.#sources.has(instruction.writes[0] ?? -1)) continue;
      for (const launch of toLaunches(instruction, { shards, multiprocessors, isShared })) add(launch, i);
    }
    if (part !== 'first') for (const launch of after?.(shards) ?? []) add(launch, -1);
    return launches;
  }

  #resolve({ arguments: given }: OwnLaunch, instruction: number): { kinds: string; values: number[] } {
    const kinds = given.map((one) => ('int' in one ? 'i' : 'float' in one ? 'f' : 'p')).join('');
    const values = given.map((one) => {
      if ('int' in one) return one.int;
      if ('float' in one) return one.float;
      if ('address' in one) return one.address;
      const address = 'buffer' in one ? this.#addresses[one.buffer] : this.#scratch[instruction];
      if (address === undefined) throw new Error('a launch without its memory');
      return address;
    });
    return { kinds, values };
  }
}

const toKey = (buffer: number | undefined): string => `buffer ${buffer}`;
