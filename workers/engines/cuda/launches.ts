// From an instruction of a plan to launches of kernels (kernels.cu): grids, and what each argument is. A large kernel of the CPU is two or three
// here, which hand values over in scratch memory.
import type { Instruction } from '../kernels/plan.ts';

/** A place in the plan's memory: a buffer of the plan, or floats from the start of the scratch memory. */
export type Memory = { readonly buffer: number } | { readonly scratch: number };

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

const THREADS = 256;
const PRODUCT_THREADS = 9 * 32;
const TILES_A_BLOCK = 16;
const GROUP = 128;
const CHUNK = 64;
/** Blocks of a kernel whose threads take several values each, and add up all chunks first. */
const MOST_BLOCKS = 256;

const int = (value: number): Argument => ({ int: value });
const float = (value: number): Argument => ({ float: value });
const scratch: Argument = { scratch: 0 };

function launch(
  kernel: string,
  grid: number | readonly [number, number, number],
  threads: number,
  given: readonly Argument[],
): Launch {
  return { kernel, grid: typeof grid === 'number' ? [grid, 1, 1] : grid, threads, arguments: given };
}

/** A thread a value. */
const overValues = (kernel: string, values: number, given: readonly Argument[]): Launch =>
  launch(kernel, Math.ceil(values / THREADS), THREADS, given);

function convolution(
  kernel: string,
  sizes: readonly number[],
  [a, b, c]: readonly [Argument, Argument, Argument],
): Launch[] {
  const [S = 0, I = 0, N = 0, B = 0] = sizes;
  const tiles = B * (S / 4) ** 2;
  const suffix = `${S}_${I}_${N}`;
  const blocks = Math.ceil(tiles / TILES_A_BLOCK);
  if (S === 28) return imageConvolution(kernel, N, B, [a, b, c]);
  if (kernel === 'convolve')
    return [
      overValues(`convolveTaps_${suffix}`, 4 * I * N, [b, scratch]),
      launch(`convolve_${suffix}`, [blocks, N / 32, 1], PRODUCT_THREADS, [a, scratch, c, int(tiles)]),
    ];
  if (kernel === 'convolveTransposed')
    return [
      overValues(`transposedTaps_${suffix}`, 4 * I * N, [b, scratch]),
      launch(`convolveTransposed_${suffix}`, [blocks, Math.ceil(I / 32), 4], PRODUCT_THREADS, [
        a,
        scratch,
        c,
        int(tiles),
      ]),
    ];
  const groups = Math.ceil(tiles / GROUP);
  return [
    launch(`filterProducts_${suffix}`, [9, (4 * I * N) / 1024, groups], 64, [a, b, scratch, int(tiles)]),
    overValues(`filterSum_${suffix}`, 16 * I * N, [scratch, c, int(groups)]),
  ];
}

function imageConvolution(
  kernel: string,
  N: number,
  B: number,
  [a, b, c]: readonly [Argument, Argument, Argument],
): Launch[] {
  if (kernel === 'convolve') return [overValues(`convolveImages_${N}`, B * 256 * N, [a, b, c, int(B)])];
  if (kernel === 'convolveTransposed') return [overValues(`convolveToImages_${N}`, B * 784, [a, b, c, int(B)])];
  return [
    launch(`imagesFilterParts_${N}`, B, 4 * N, [a, b, scratch]),
    overValues('sumParts', 16 * N, [scratch, c, int(B), int(16 * N)]),
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
  add: 'addValues',
};

/** @returns the launches of an instruction. @throws Error for one that the plans of shared/model do not have */
export function toLaunches({ kernel, reads, writes, sizes, value }: Instruction): Launch[] {
  const buffers = [...reads, ...writes].map((buffer): Argument => ({ buffer }));
  const at = (i: number): Argument => buffers[i] ?? { buffer: -1 };
  const [first = 0, second = 0, third = 0] = sizes;
  if (kernel.startsWith('convolve')) return convolution(kernel, sizes, [at(0), at(1), at(2)]);
  const single = SINGLE[kernel];
  if (single !== undefined) return [overValues(single, first, [...buffers, float(value), int(first)])];
  const chunks = Math.ceil(first / CHUNK);
  const blocks = Math.min(MOST_BLOCKS, Math.ceil((first * second) / THREADS));
  switch (kernel) {
    case 'normalise':
      return [
        launch(`normaliseSums_${second}`, chunks, 4 * second, [at(0), scratch, int(first)]),
        launch(`normalise_${second}`, blocks, THREADS, [
          ...[at(0), scratch, at(1), at(2), float(value), at(3), at(4), at(5), at(6), int(first)],
        ]),
      ];
    case 'normaliseFixed':
      return [
        launch(`normaliseFixed_${second}`, blocks, THREADS, [...buffers.slice(0, 5), float(value), at(5), int(first)]),
      ];
    case 'normaliseGradient':
      return [
        launch(`gradientSums_${second}`, chunks, 4 * second, [
          at(0),
          at(1),
          at(2),
          at(4),
          float(value),
          scratch,
          int(first),
        ]),
        launch(`normaliseGradient_${second}`, blocks, THREADS, [
          ...[at(0), at(1), at(2), scratch, at(3), at(4), at(5), float(value), at(6), at(7), at(8), int(first)],
        ]),
      ];
    case 'addBias':
      return [
        overValues('addBias', first * second, [at(0), at(1), float(value), at(2), int(first * second), int(second)]),
      ];
    case 'addBiasGradient':
      return [
        launch(`biasSums_${second}`, chunks, 4 * second, [at(0), at(1), float(value), at(2), scratch, int(first)]),
        overValues('biasGradient', second, [scratch, at(3), int(first), int(second)]),
      ];
    case 'sumAll':
      return [launch('sumAll', 1, 1, [at(0), at(1), int(first)])];
    case 'multiply':
      if (third === 1) return [launch('multiplyVector', first, 16, [at(0), at(1), at(2), int(second)])];
      return [product(first, second, third, second, 1)];
    case 'multiplyTransposedA':
      return [product(first, second, third, 1, first)];
    case 'multiplyTransposedB':
      return [overValues('multiplyOuter', first * third, [at(0), at(1), at(2), int(first), int(third)])];
  }
  throw new Error(`there is no CUDA kernel ${kernel}`);

  function product(M: number, K: number, N: number, rowStride: number, columnStride: number): Launch {
    const strides = [int(rowStride), int(columnStride), int(M), int(K), int(N)];
    return overValues('multiplyMatrices', M * N, [at(0), at(1), at(2), ...strides]);
  }
}

/** @returns floats of scratch memory that an instruction needs */
export function scratchOf({ kernel, sizes }: Instruction): number {
  const [first = 0, second = 0, N = 0, B = 0] = sizes;
  if (kernel === 'convolve' || kernel === 'convolveTransposed') return first === 28 ? 0 : 4 * 9 * second * N;
  if (kernel === 'convolveFilter') {
    if (first === 28) return B * 16 * N;
    return Math.ceil((B * (first / 4) ** 2) / GROUP) * 36 * second * N;
  }
  return kernel === 'normalise' || kernel === 'normaliseGradient' || kernel === 'addBiasGradient'
    ? Math.ceil(first / CHUNK) * 2 * second
    : 0;
}
