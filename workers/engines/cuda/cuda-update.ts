// The coordinator's side of a GPU: vectors, and the update of a net where it lies (update.cuh). Opened by the coordinator's own thread.
import type { DevicePlace, DeviceUpdate, Tracked, UpdateDevice, UpdateReport } from '../../../shared/device-memory.ts';
import type { AdamFactors } from '../../../shared/update.ts';
import type { Address, NativeLaunch, NativeMark, NativeStream } from './binding.ts';
import { cudaCopies } from './cuda-copies.ts';
import type { CudaRunner } from './cuda-runner.ts';

const FLOAT = Float32Array.BYTES_PER_ELEMENT;
const DOUBLE = Float64Array.BYTES_PER_ELEMENT;
const THREADS = 256;
/** Parameters of a block: part of the arithmetic. */
const NORM_BLOCK = 4096;
/** Vectors that a launch adds. */
const VECTORS = 8;
/** Images lie on the device where they need at most this part of the memory that is free: passes need more of it. */
const IMAGES_SHARE = 0.25;
/** Numbers of a sum that a report has. */
const REPORTED = 8;
/** Marks that are set in turn: no replica waits for one so much older than the newest. */
const MARKS = 16;

type Argument = readonly [kind: 'p' | 'i' | 'd', value: number];
const pointer = (address: number): Argument => ['p', address];
const int = (value: number): Argument => ['i', value];
const double = (value: number): Argument => ['d', value];

/** The GPU that a runner has opened, for the coordinator. */
export function cudaDevice({ binding, gpu, number }: CudaRunner): UpdateDevice {
  const stream = binding.createStream(gpu);
  /** Kept, as its memory is used by addresses alone. */
  const kept: unknown[] = [];
  const allocateBytes = (bytes: number): number => {
    const memory = binding.allocate(gpu, bytes);
    kept.push(memory);
    return binding.addressOf(memory);
  };
  const allocate = (length: number): DevicePlace => {
    const place = { address: allocateBytes(length * FLOAT), length };
    binding.write(stream, place.address, new Float32Array(length));
    binding.synchronise(stream);
    return place;
  };
  const check = ({ length }: { readonly length: number }, expected: number): void => {
    if (length !== expected) throw new RangeError(`expected a vector of ${expected} numbers, got ${length}`);
  };
  /** Memory that the device copies to by itself, for reading. */
  let host = new Float32Array();
  const run = launcher(binding, stream);
  const marks = Array.from({ length: MARKS }, () => binding.createMark(gpu));
  let marked = 0;
  /** Whether updates change nothing: an int. */
  const halted = allocate(1);
  return {
    gpu: number,
    allocate,
    ask() {
      const question = binding.ask(gpu);
      return () => binding.isAnswered(question);
    },
    isStuck: () => binding.isStuck(gpu),
    hold(bytes) {
      if (bytes.length > IMAGES_SHARE * binding.freeBytes(gpu)) return undefined;
      const address = allocateBytes(bytes.length);
      binding.write(stream, address, bytes);
      binding.synchronise(stream);
      return address;
    },
    write(to, from) {
      check(from, to.length);
      binding.write(stream, to.address, from);
    },
    read(from) {
      const total = from.reduce((sum, { length }) => sum + length, 0);
      if (host.length < total) host = new Float32Array(binding.allocateHost(gpu, total * FLOAT));
      let at = 0;
      const views = from.map(({ address, length }) => {
        const view = host.subarray(at, at + length);
        binding.read(stream, address, view);
        at += length;
        return view;
      });
      binding.synchronise(stream);
      return views.map((view) => view.slice());
    },
    copy(to, from) {
      check(from, to.length);
      binding.copy(stream, to.address, from.address, from.length * FLOAT);
    },
    moveAverage(average, values, keep, take) {
      check(values, average.length);
      const given = [pointer(average.address), pointer(values.address), int(average.length)];
      const factors = [double(keep), double(take), pointer(halted.address)];
      run('moveAverage', Math.ceil(average.length / THREADS), THREADS, [...given, ...factors]);
    },
    mark() {
      const mark = marks[marked++ % MARKS] as NativeMark;
      binding.setMark(mark, stream);
      return binding.handleOf(mark);
    },
    waitFor: (mark) => binding.waitFor(stream, mark),
    resume: () => binding.write(stream, halted.address, new Int32Array(1)),
    createCopies: (places) => cudaCopies({ binding, gpu }, stream, places, allocateBytes),
    createUpdate: (length, limit) =>
      new CudaUpdate({ binding, gpu }, { stream, length, limit, halted: halted.address, allocateBytes }),
  };
}

type Launcher = (kernel: string, blocks: number, threads: number, given: readonly Argument[]) => void;

function launcher(binding: CudaRunner['binding'], stream: NativeStream): Launcher {
  return (kernel, blocks, threads, given) => {
    const launch: NativeLaunch = {
      kernel,
      grid: [blocks, 1, 1],
      threads,
      kinds: given.map(([kind]) => kind).join(''),
      values: given.map(([, value]) => value),
    };
    binding.runKernel(stream, launch);
  };
}

interface CudaUpdateOptions {
  readonly stream: NativeStream;
  readonly length: number;
  readonly limit: number;
  /** Where it is said whether updates change nothing. */
  readonly halted: Address;
  readonly allocateBytes: (bytes: number) => Address;
}

class CudaUpdate implements DeviceUpdate {
  readonly #binding: CudaRunner['binding'];
  readonly #stream: NativeStream;
  readonly #run: Launcher;
  readonly #length: number;
  readonly #sum: number;
  readonly #squares: number;
  readonly #halted: readonly [halted: Argument, limit: Argument];
  readonly #report: { readonly address: number; readonly host: Float64Array; readonly mark: NativeMark };
  /** Blocks of parameters of the newest Adam. */
  #blocks = 0;

  constructor(
    { binding, gpu }: Pick<CudaRunner, 'binding' | 'gpu'>,
    { stream, length, limit, halted, allocateBytes }: CudaUpdateOptions,
  ) {
    this.#binding = binding;
    this.#stream = stream;
    this.#run = launcher(binding, stream);
    this.#length = length;
    this.#sum = allocateBytes(length * DOUBLE);
    this.#squares = allocateBytes(Math.ceil(length / NORM_BLOCK) * DOUBLE);
    this.#halted = [pointer(halted), double(limit)];
    const size = 2 + REPORTED;
    this.#report = {
      address: allocateBytes(size * DOUBLE),
      host: new Float64Array(binding.allocateHost(gpu, size * DOUBLE)),
      mark: binding.createMark(gpu),
    };
  }

  addRounded(values: readonly DevicePlace[], isFirst: boolean): void {
    const given = [pointer(this.#sum), int(this.#length), ...this.#vectors(values, isFirst)];
    this.#run('addRounded', Math.ceil(this.#length / THREADS), THREADS, given);
  }

  applyAdam(
    factors: AdamFactors,
    { parameters, m, v }: Parameters<DeviceUpdate['applyAdam']>[1],
    values: readonly DevicePlace[],
    isFirst: boolean,
  ): void {
    const { learningRate, beta1, beta2, unbias1, unbias2, epsilon, scale } = factors;
    const [size, blocks] = [parameters.length, Math.ceil(this.#length / NORM_BLOCK)];
    if (m.length !== size || v.length !== size || this.#length < size) {
      const got = `${m.length} and ${v.length} moments, a sum of ${this.#length}`;
      throw new RangeError(`Adam: expected moments and a sum of ${size} parameters, got ${got}`);
    }
    this.#blocks = Math.ceil(size / NORM_BLOCK);
    const doubles = [learningRate, beta1, 1 - beta1, beta2, 1 - beta2, unbias1, unbias2, epsilon, scale];
    this.#run('applyAdam', blocks, THREADS, [
      ...[this.#sum, parameters.address, m.address, v.address, this.#squares].map(pointer),
      ...[int(size), int(this.#length), ...this.#vectors(values, isFirst), ...doubles.map(double), ...this.#halted],
    ]);
  }

  track({ running: { address, length }, offset }: Tracked, momentum: number, scale: number): void {
    const given = [pointer(this.#sum + offset * DOUBLE), pointer(address), int(length)];
    this.#run('trackStatistics', Math.ceil(length / THREADS), THREADS, [
      ...given,
      ...[1 - momentum, momentum, scale].map(double),
      this.#halted[0],
    ]);
  }

  report(offset: number, count: number): () => UpdateReport | undefined {
    if (count > REPORTED) throw new RangeError(`a report of at most ${REPORTED} numbers, got ${count}`);
    const { address, host, mark } = this.#report;
    this.#run('reportUpdate', 1, 1, [
      ...[pointer(this.#squares), int(this.#blocks)],
      ...[pointer(this.#sum + offset * DOUBLE), int(count), pointer(address), this.#halted[0]],
    ]);
    this.#binding.read(this.#stream, address, host);
    this.#binding.setMark(mark, this.#stream);
    return () => {
      if (!this.#binding.isReached(mark)) return undefined;
      return { norm: host[0] ?? Number.NaN, numbers: host.slice(1, 1 + count), halted: host[1 + count] !== 0 };
    };
  }

  #vectors(values: readonly DevicePlace[], isFirst: boolean): Argument[] {
    if (values.length > VECTORS)
      throw new RangeError(`at most ${VECTORS} vectors are added at once, got ${values.length}`);
    const wrong = values.find(({ length }) => length !== this.#length);
    if (wrong) throw new RangeError(`exact sum of ${this.#length} values, got ${wrong.length}`);
    const pointers = Array.from({ length: VECTORS }, (_, i) => pointer(values[i]?.address ?? 0));
    return [...pointers, int(values.length), int(isFirst ? 1 : 0)];
  }
}
