// From an instruction of a plan to launches of kernels (kernels.cu): grids, and what each argument is. A large kernel of the CPU is two or three
// here, which hand values over in scratch memory. A launch computes all shards: values of a buffer lie shard behind shard.
import type { Instruction } from '../kernels/plan.ts';

/** A place in the plan's memory: a buffer of the plan, or the scratch memory of the instruction. */
export type Memory =
  | { readonly buffer: number; readonly isWritten: boolean }
  | { readonly scratch: 'read' | 'written' };

/** An argument of a kernel, in the order of its parameters. */
export type Argument = Memory | { readonly int: number } | { readonly float: number };

/** One launch. */
export interface Launch {
  readonly kernel: string;
  readonly grid: readonly [x: number, y: number, z: number];
  /** Of a block. */
  readonly threads: number;
  readonly arguments: readonly Argument[];
}

/** What the launches are for. */
export interface LaunchOptions {
  readonly shards: number;
  /** Of the GPU. */
  readonly multiprocessors: number;
  /** Whether all shards have the same values in a buffer, as in a parameter. */
  readonly isShared: (buffer: number) => boolean;
}

const THREADS = 256;
/** Most channels of an image. */
const COLOURS = 3;
/** The convolutions of the seed's model, S_I_N, which have kernels of their own, and its numbers of channels. */
const KNOWN: ReadonlySet<string> = new Set(['16_16_32', '16_32_64', '8_32_64', '8_64_128']);
const KNOWN_CHANNELS: ReadonlySet<number> = new Set([16, 32, 64, 128]);
/** Tiles whose products are added up by themselves in the gradient of a filter. */
const GROUP = 128;
/** Pixels that are added up by themselves: a block of a kernel's grid. */
const SUM_PIXELS = 1024;
const SUM_THREADS = 1024;
/** Channels of such a block. */
const SUM_CHANNELS = 32;
/** Blocks of a kernel whose threads take several values each, and add up all sums first. */
const MOST_BLOCKS = 256;
/** Blocks for each multiprocessor from which on a launch takes larger ones. */
const FULL = 0.9;

const int = (value: number): Argument => ({ int: value });
const float = (value: number): Argument => ({ float: value });
const written: Argument = { scratch: 'written' };
const read: Argument = { scratch: 'read' };

function launch(
  kernel: string,
  [x, y = 1, z = 1]: readonly [number, number?, number?],
  threads: number,
  given: readonly Argument[],
): Launch {
  return { kernel, grid: [x, y, z], threads, arguments: given };
}

/** A thread a value, or as many threads as `values` says. */
const overValues = (kernel: string, values: number, given: readonly Argument[], y = 1): Launch =>
  launch(kernel, [Math.ceil(values / THREADS), y], THREADS, given);

type Three = readonly [Argument, Argument, Argument];

function convolution(
  kernel: string,
  sizes: readonly number[],
  { shards, multiprocessors }: LaunchOptions,
  [a, b, c]: Three,
): Launch[] {
  const [S = 0, I = 0, N = 0, B = 0] = sizes;
  if (I <= COLOURS) return imageConvolution(kernel, sizes, shards, [a, b, c]);
  const tiles = B * (S / 4) ** 2;
  const name = `${S}_${I}_${N}`;
  const isKnown = KNOWN.has(name);
  const all = [int(S), int(I), int(N)];
  if (kernel === 'convolveFilter') {
    const groups = Math.ceil(tiles / GROUP);
    const width = isKnown ? Math.min(N, 64) : blockOf(N);
    const given = [a, b, written, int(tiles), int(groups), ...(isKnown ? [] : all)];
    const suffix = isKnown ? name : `any_${width}`;
    return [
      launch(`filterProducts_${suffix}`, [9, (I / 16) * (N / width), groups * shards], 4 * width, given),
      overValues('filterSum', 16 * I * N, [read, c, int(groups), int(I), int(N)], shards),
    ];
  }
  const isForward = kernel === 'convolve';
  const [channels, positions] = isForward ? [N, 1] : [I, 4];
  const taps = overValues(isForward ? 'convolveTaps' : 'transposedTaps', 4 * I * N, [b, written, int(I), int(N)]);
  const count = (width: number, tilesABlock: number): readonly [number, number, number] => [
    Math.ceil((tiles * shards) / tilesABlock),
    channels / width,
    positions,
  ];
  const given = [a, read, c, int(tiles * shards)];
  if (!isKnown) {
    const width = blockOf(channels);
    return [taps, launch(`${kernel}_any_${width}`, count(width, 16), 9 * Math.max(32, width), [...given, ...all])];
  }
  /** Tiles and channels of a block: those of winograd.cuh. */
  const large = isForward ? (N > 32 ? 64 : 32) : I > 32 ? 64 : Math.min(I, 32);
  const isLarge = count(large, 16).reduce((product, side) => product * side) >= FULL * multiprocessors;
  const width = isLarge ? large : Math.min(channels, 32);
  const size = isLarge ? 'large' : 'small';
  return [taps, launch(`${kernel}_${name}_${size}`, count(width, isLarge ? 16 : 8), 9 * Math.max(32, width), given)];
}

/** The largest number of channels of a block that divides `channels`, a multiple of 16. */
const blockOf = (channels: number): 16 | 32 | 64 => (channels % 64 === 0 ? 64 : channels % 32 === 0 ? 32 : 16);

function imageConvolution(kernel: string, sizes: readonly number[], shards: number, [a, b, c]: Three): Launch[] {
  const [S = 0, C = 0, N = 0, B = 0] = sizes;
  const images = B * shards;
  const isKnown = S === 28 && C === 1 && (N === 16 || N === 32);
  const suffix = isKnown ? String(N) : 'any';
  const all = isKnown ? [] : [int(S), int(C), int(N)];
  const features = S === 28 ? 16 : S / 2;
  if (kernel === 'convolve') {
    const values = (images * features ** 2 * N) / 4;
    return [overValues(`convolveImages_${suffix}`, values, [a, b, c, int(images), ...all])];
  }
  if (kernel === 'convolveTransposed')
    return [overValues(`convolveToImages_${suffix}`, images * S * S * C, [a, b, c, int(images), ...all])];
  const size = 16 * C * N;
  return [
    isKnown
      ? launch(`imagesFilterParts_${suffix}`, [images], 4 * N, [a, b, written])
      : overValues(`imagesFilterParts_${suffix}`, size, [a, b, written, ...all], images),
    overValues('sumParts', size, [read, c, int(B), int(size)], shards),
  ];
}

/** Names of the kernels of single values. */
const SINGLE: Readonly<Record<string, string>> = {
  tanh: 'tanhValues',
  sigmoid: 'sigmoidValues',
  activate: 'activateValues',
  addScalar: 'addScalar',
  multiplyScalar: 'multiplyScalar',
  copy: 'copyValues',
  tanhGradient: 'tanhGradient',
  activateGradient: 'activateGradient',
};

/** @returns the launches of an instruction. @throws Error for one that the plans of shared/model do not have */
export function toLaunches({ kernel, reads, writes, sizes, value }: Instruction, options: LaunchOptions): Launch[] {
  const { shards, isShared } = options;
  const buffers = [
    ...reads.map((buffer): Argument => ({ buffer, isWritten: false })),
    ...writes.map((buffer): Argument => ({ buffer, isWritten: true })),
  ];
  const at = (i: number): Argument => buffers[i] ?? { buffer: -1, isWritten: false };
  const [first = 0, second = 0, third = 0] = sizes;
  if (kernel.startsWith('convolve')) return convolution(kernel, sizes, options, [at(0), at(1), at(2)]);
  const single = SINGLE[kernel];
  if (single !== undefined) {
    const values = first * shards;
    return [overValues(single, values, [...buffers, float(value), int(values)])];
  }
  const blocks = Math.ceil(first / SUM_PIXELS);
  const width = second % SUM_CHANNELS === 0 ? SUM_CHANNELS : 16;
  const isKnown = KNOWN_CHANNELS.has(second);
  const suffix = isKnown ? String(second) : `any_${width}`;
  const last = isKnown ? [] : [int(second)];
  const sums = (name: string, given: readonly Argument[]): Launch =>
    launch(`${name}_${suffix}`, [blocks, second / width, shards], SUM_THREADS, [...given, ...last]);
  const over = (name: string, given: readonly Argument[]): Launch =>
    launch(`${name}_${suffix}`, [Math.min(MOST_BLOCKS, Math.ceil((first * second) / (4 * THREADS))), shards], THREADS, [
      ...given,
      ...last,
    ]);
  switch (kernel) {
    case 'normalise':
      return [
        sums('normaliseSums', [at(0), written, int(first)]),
        over('normalise', [...[at(0), read, at(1), at(2), float(value), at(3), at(4), at(5), at(6), int(first)]]),
      ];
    case 'normaliseFixed':
      return [over('normaliseFixed', [...buffers.slice(0, 5), float(value), at(5), int(first)])];
    case 'normaliseGradient':
      return [
        sums('gradientSums', [at(0), at(1), at(2), at(4), float(value), written, int(first)]),
        over('normaliseGradient', [
          ...[at(0), at(1), at(2), read, at(3), at(4), at(5), float(value), at(6), at(7), at(8)],
          int(first),
        ]),
      ];
    case 'add': {
      const values = first * shards;
      const period = isShared(reads[1] ?? -1) ? first : values;
      return [overValues('addValues', values, [...buffers, int(values), int(period)])];
    }
    case 'addBias': {
      const values = first * second * shards;
      return [overValues('addBias', values, [at(0), at(1), float(value), at(2), int(values), int(second)])];
    }
    case 'addBiasGradient':
      return [
        sums('biasSums', [at(0), at(1), float(value), at(2), written, int(first)]),
        launch('biasGradient', [shards], THREADS, [read, at(3), int(first), int(second)]),
      ];
    case 'sumAll':
      return [launch('sumAll', [shards], 1, [at(0), at(1), int(first)])];
    case 'multiply':
      // Rows are independent: those of all shards are those of one matrix.
      if (third === 1) return [launch('multiplyVector', [first * shards], 16, [at(0), at(1), at(2), int(second)])];
      return [product(first * shards, second, third, [second, 1], 1)];
    case 'multiplyTransposedA':
      return [product(first, second, third, [1, first], shards)];
    case 'multiplyTransposedB': {
      const rows = first * shards;
      return [overValues('multiplyOuter', rows * third, [at(0), at(1), at(2), int(rows), int(third)])];
    }
  }
  throw new Error(`there is no CUDA kernel ${kernel}`);

  function product(
    M: number,
    K: number,
    N: number,
    strides: readonly [row: number, column: number],
    layers: number,
  ): Launch {
    const isWide = N % 4 === 0;
    const threads = isWide ? (Math.ceil(M / 4) * N) / 4 : M * N;
    const sizesOf = [...strides, M, K, N, M * K, K * N].map(int);
    const given = [at(0), at(1), at(2), ...sizesOf];
    return launch(
      isWide ? 'multiplyMatrices' : 'multiplyValues',
      [Math.ceil(threads / THREADS), 1, layers],
      THREADS,
      given,
    );
  }
}

/** @returns floats of scratch memory that an instruction needs: in all, and for every shard */
export function scratchOf({ kernel, sizes }: Instruction): { readonly once: number; readonly shard: number } {
  const [first = 0, second = 0, N = 0, B = 0] = sizes;
  const sums = Math.ceil(first / SUM_PIXELS) * second * 2; // a float64 is two floats
  switch (kernel) {
    case 'convolve':
    case 'convolveTransposed':
      return { once: second <= COLOURS ? 0 : 4 * 9 * second * N, shard: 0 };
    case 'convolveFilter':
      if (second <= COLOURS) return { once: 0, shard: B * 16 * second * N };
      return { once: 0, shard: Math.ceil((B * (first / 4) ** 2) / GROUP) * 36 * second * N };
    case 'normalise':
    case 'normaliseGradient':
      return { once: 0, shard: sums * 2 };
    case 'addBiasGradient':
      return { once: 0, shard: sums };
    default:
      return { once: 0, shard: 0 };
  }
}
