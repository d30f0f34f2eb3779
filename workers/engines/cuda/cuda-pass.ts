// A pass of several shards on a GPU: noise or pixels, the program, and phase vectors, all in one graph. The host sends a job, a few numbers a
// shard and one an image, and gets one a shard back: whether the exact sum can take the vector.
import { type Pass, phaseOf } from '../../../shared/model/layout.ts';
import { labelOf } from '../../../shared/model/losses.ts';
import { type PhaseVector, phaseVectorOf, type Slice } from '../../../shared/model/phase-vector.ts';
import { PASS_PROGRAMS } from '../../../shared/model/phases.ts';
import { imageSizeOf, type ModelSpec } from '../../../shared/model/spec.ts';
import { STREAMS, toKey } from '../../../shared/random.ts';
import type { EngineSetup, OutOfRange, ShardInput } from '../engine.ts';
import type { Address, CudaBinding, NativeGpu, NativeMemory, NativeStream } from './binding.ts';
import { CudaProgram, type OwnLaunch } from './cuda-program.ts';
import { type Call, createCall, type JobPlaces, placesOf } from './pass-call.ts';

const WORD = 4;
const THREADS = 256;
/** Values that a block copies into a vector. */
const PIECE = 1024;
/** In place of the first value that is out of range. */
const NONE = 0x7fffffff;
/** Calls that may be under way: one may be begun before the host knows that the one before has ended. */
const CALLS = 2;

export interface CudaPassOptions {
  readonly binding: CudaBinding;
  readonly gpu: NativeGpu;
  readonly setup: EngineSetup;
  /** Shards that can be computed at a time. */
  readonly capacity: number;
  /** Where the parameters lie, by the program's names of them. */
  readonly parameters: Readonly<Record<string, Address>>;
}

export class CudaPass {
  /** What is asked of it comes in this order. */
  readonly stream: NativeStream;
  readonly vector: PhaseVector;
  readonly #pass: Pass;
  readonly #options: CudaPassOptions;
  readonly program: CudaProgram;
  /** The job and, behind it, the pieces of the vector and pixels. */
  readonly #memory: NativeMemory;
  readonly #places: { readonly job: Address; readonly pieces: Address; readonly pixels: Address };
  readonly #jobPlaces: JobPlaces;
  readonly #slices: readonly Slice[];
  readonly #pieces: number;
  readonly #calls: readonly Call[];
  /** Calls begun. */
  #begun = 0;

  /** The vectors of a pass. */
  static vectorOf(pass: Pass, spec: ModelSpec): PhaseVector {
    return phaseVectorOf(phaseOf(pass), spec);
  }

  constructor(pass: Pass, options: CudaPassOptions) {
    const { binding, gpu, setup, capacity, parameters } = options;
    const { spec, shardSize } = setup;
    const program = PASS_PROGRAMS[pass](shardSize, spec, setup.realLabel);
    this.#pass = pass;
    this.#options = options;
    this.vector = CudaPass.vectorOf(pass, spec);
    this.#slices = this.vector.slices.filter(({ output }) => output in program.outputs);
    this.stream = binding.createStream(gpu);
    const images = pass === 'real' ? capacity * shardSize : 0;
    const pixels = setup.imagesAt === undefined ? images * imageSizeOf(spec) : 0;
    const jobPlaces = placesOf(capacity, setup.imagesAt === undefined ? 0 : images);
    const jobWords = jobPlaces.words;
    this.#jobPlaces = jobPlaces;
    const pieces = this.#slices.reduce((count, { size }) => count + Math.ceil(size / PIECE), 0);
    const bytes = jobWords * WORD + pieces * 4 * WORD + pixels;
    this.#pieces = pieces;
    this.#memory = binding.allocate(gpu, bytes);
    const job = binding.addressOf(this.#memory);
    this.#places = { job, pieces: job + jobWords * WORD, pixels: job + jobWords * WORD + pieces * 4 * WORD };
    this.#calls = Array.from({ length: CALLS }, () => createCall(binding, gpu, { jobWords, pixels, capacity }));
    this.program = new CudaProgram(binding, gpu, program, {
      capacity,
      given: parameters,
      before: (shards) => this.#before(shards),
      after: (shards) => this.#after(shards),
    });
    binding.write(this.stream, this.#places.pieces, this.#toPieces());
    binding.synchronise(this.stream); // the pieces are this call's own memory
  }

  /** Whether as many calls have been begun, and not waited for, as it has memory for. */
  get isFull(): boolean {
    return this.#next.isPending;
  }

  /** Whether a call has been begun, and not waited for. */
  get isPending(): boolean {
    return this.#calls.some((call) => call.isPending);
  }

  get #next(): Call {
    return this.#calls[this.#begun % CALLS] as Call;
  }

  /** Begins what the next call needs no late input for; not to be called where it {@link isFull}. */
  beginFirst(step: number, shards: readonly number[]): void {
    this.#writeJob(this.#next.first, step, shards, []);
    this.program.run(this.stream, shards.length, 'first');
  }

  /**
   * Begins the pass; not to be called where it {@link isFull}.
   *
   * @param vectors where the phase vectors are to lie
   * @param images of a pass over real images: the pixels of each shard, or the numbers of its images
   * @param hasFirst whether {@link beginFirst} has begun the same
   * @param last asks for what the results need besides
   * @returns the call
   */
  begin(
    step: number,
    shards: readonly number[],
    vectors: readonly Address[],
    images: readonly Pick<ShardInput, 'pixels' | 'images'>[],
    hasFirst: boolean,
    last: () => void = () => {},
  ): Call {
    const { binding, setup } = this.#options;
    const call = this.#next;
    this.#begun += 1;
    call.isPending = true;
    for (const [i, { images: numbers }] of images.entries()) {
      if (numbers) call.all.set(numbers, this.#jobPlaces.images + i * setup.shardSize);
    }
    this.#writeJob(call.all, step, shards, vectors);
    let at = 0;
    for (const part of images.flatMap(({ pixels = [] }) => pixels)) {
      call.pixels.set(part, at);
      at += part.length;
    }
    if (at > 0) binding.write(this.stream, this.#places.pixels, call.pixels.subarray(0, at));
    this.program.run(this.stream, shards.length, hasFirst ? 'rest' : 'all');
    binding.read(this.stream, this.#places.job + this.#jobPlaces.found * WORD, call.found.subarray(0, shards.length));
    last();
    binding.setMark(call.mark, this.stream);
    return call;
  }

  /**
   * Waits for the pass.
   *
   * @param call that {@link begin} has given
   * @param vectors as they were given to it
   * @returns of every shard the first value that the exact sum cannot take
   */
  async finish(call: Call, vectors: readonly Address[]): Promise<(OutOfRange | undefined)[]> {
    const { binding } = this.#options;
    // Asked again and again, with messages in between: what they bring begins beside this pass.
    while (!binding.isReached(call.mark)) await new Promise(setImmediate);
    call.isPending = false;
    return vectors.map((address, i) => {
      const found = call.found[i] ?? NONE;
      return found === NONE ? undefined : this.#nameOf(found, address);
    });
  }

  dispose(): void {
    this.program.dispose();
    this.#options.binding.release(this.#memory);
  }

  #nameOf(found: number, vector: Address): OutOfRange {
    const { binding } = this.#options;
    const { length, scalars } = this.vector;
    const scalar = this.#scalarNames()[found - length];
    const at = scalar === undefined ? found : scalars[scalar];
    const value = new Float32Array(1);
    binding.read(this.stream, vector + at * WORD, value);
    binding.synchronise(this.stream);
    const slice = this.#slices.find(({ offset, size }) => at >= offset && at < offset + size);
    return { name: scalar ?? `${slice?.output}[${at - (slice?.offset ?? 0)}]`, value: value[0] ?? Number.NaN };
  }

  #scalarNames() {
    return this.#pass === 'real' ? (['lossReal', 'outputReal'] as const) : (['lossFake', 'outputFake'] as const);
  }

  #writeJob(job: Uint32Array, step: number, shards: readonly number[], vectors: readonly Address[]): void {
    const { binding, capacity } = this.#options;
    const places = this.#jobPlaces;
    job[0] = step;
    job.set(shards, places.shards);
    job.fill(NONE, places.found, places.found + capacity);
    for (const [i, address] of vectors.entries()) {
      job[places.vectors + 2 * i] = address % 2 ** 32;
      job[places.vectors + 2 * i + 1] = Math.floor(address / 2 ** 32);
    }
    binding.write(this.stream, this.#places.job, job);
  }

  #before(shards: number): OwnLaunch[] {
    const { spec, shardSize, seed, imagesAt } = this.#options.setup;
    const { job, pixels } = this.#places;
    if (this.#pass === 'real') {
      const values = imageSizeOf(spec);
      const size = shards * shardSize * values;
      const launch = { ...over(size), writes: ['images'] };
      const images = { address: this.program.array('images').address };
      if (imagesAt === undefined) {
        return [{ kernel: 'toImages', ...launch, arguments: [{ address: pixels }, images, { int: size }] }];
      }
      const numbers = { address: job + this.#jobPlaces.images * WORD };
      const given = [{ address: imagesAt }, numbers, images, { int: values }, { int: size }];
      return [{ kernel: 'takeImages', ...launch, arguments: given }];
    }
    const [key0, key1] = toKey(seed).map((int) => ({ int }));
    if (!key0 || !key1) throw new Error('a key has two words');
    const stream = STREAMS[this.#pass === 'fake' ? 'discriminatorNoise' : 'generatorNoise'];
    const count = shardSize * spec.latentSize;
    const z = { address: this.program.array('z').address };
    const given = [{ address: job }, z, key0, key1, { int: stream }, { int: count }];
    return [{ kernel: 'drawNoise', ...over(Math.ceil(count / 4), shards), arguments: given, writes: ['z'] }];
  }

  #after(shards: number): OwnLaunch[] {
    const { setup } = this.#options;
    const { length, scalars } = this.vector;
    const places = this.#jobPlaces;
    const { job, pieces } = this.#places;
    const at = (place: number) => ({ address: job + place * WORD });
    const [loss, output] = this.#scalarNames();
    const ends = [{ int: length }, { float: setup.limit }];
    return [
      {
        kernel: 'meanLosses',
        grid: [shards, 1, 1],
        threads: THREADS,
        arguments: [
          { address: this.program.array('logits').address },
          ...[
            at(places.vectors),
            at(places.found),
            { int: setup.shardSize },
            { float: labelOf(this.#pass, setup.realLabel) },
          ],
          ...[{ int: scalars[loss] }, { int: scalars[output] }, ...ends],
        ],
        reads: ['logits'],
        writes: ['losses'],
      },
      {
        kernel: 'deliver',
        grid: [this.#pieces, shards, 1],
        threads: THREADS,
        arguments: [
          { address: this.program.base },
          ...[
            { address: pieces },
            at(places.vectors),
            at(places.found),
            { int: scalars[loss] },
            { float: setup.limit },
          ],
        ],
        reads: [...this.#slices.map(({ output: name }) => name), 'losses'],
      },
    ];
  }

  /** The slices of the vector, in pieces of a block: from, stride, to and count, in floats. */
  #toPieces(): Int32Array {
    const pieces = this.#slices.flatMap(({ output, offset, size }) => {
      const from = (this.program.array(output).address - this.program.base) / WORD;
      return Array.from({ length: Math.ceil(size / PIECE) }, (_, i) => {
        const first = i * PIECE;
        return [from + first, size, offset + first, Math.min(PIECE, size - first)];
      });
    });
    return Int32Array.from(pieces.flat());
  }
}

/** A thread a value. */
function over(values: number, shards = 1): Pick<OwnLaunch, 'grid' | 'threads'> {
  return { grid: [Math.ceil(values / THREADS), shards, 1], threads: THREADS };
}
