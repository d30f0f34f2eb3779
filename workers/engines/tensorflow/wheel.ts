// The Python wheels that libtensorflow comes from: their pinned identities, and which of their files are taken.

import type { Wheel } from '../../build/pip-wheel.ts';
import { CUDA_WHEELS } from './cuda-wheels.ts';
import { TENSORFLOW_VERSION, type Variant } from './library.ts';

const TENSORFLOW = {
  label: 'TensorFlow',
  pythonVersion: '3.11',
  platform: 'manylinux_2_27_x86_64',
} as const;

/** What a variant of the library is made of. */
export interface Contents {
  readonly wheels: readonly [Wheel, ...Wheel[]];
  /** Bytes on disk of all that is taken, and of the add-on. */
  readonly bytes: number;
}

/** Pinned identities of the wheels. */
export const CONTENTS: Readonly<Record<Variant, Contents>> = {
  cpu: {
    wheels: [
      {
        ...TENSORFLOW,
        requirement: `tensorflow-cpu==${TENSORFLOW_VERSION}`,
        fileName: `tensorflow_cpu-${TENSORFLOW_VERSION}-cp311-cp311-manylinux_2_27_x86_64.whl`,
        sha256: '2b847d217b02ee7731ed91431daf3250daa0196c3c94614d23be27232e6e5b6c',
        bytes: 273_829_956,
      },
    ],
    bytes: 788_086_608 + 65_222_328 + 300_000,
  },
  gpu: {
    wheels: [
      {
        ...TENSORFLOW,
        requirement: `tensorflow==${TENSORFLOW_VERSION}`,
        fileName: `tensorflow-${TENSORFLOW_VERSION}-cp311-cp311-manylinux_2_27_x86_64.whl`,
        sha256: '9056fbc9ba04235810b71ae6cbd958a196e8804fb53bbcffbf3e23b56155f124',
        bytes: 572_440_367,
      },
      ...CUDA_WHEELS,
    ],
    bytes: 1_096_372_272 + 162_648_808 + 2_955_475_500 + 300_000,
  },
};

/** Headers, the compiler's temporary files and file system overhead. */
const SPARE_BYTES = 100_000_000;

/** Bytes of several wheels. */
export const bytesOf = (wheels: readonly Wheel[]): number => wheels.reduce((sum, { bytes }) => sum + bytes, 0);

/**
 * Bytes that the library needs at the peak of its set-up: pip holds a wheel twice for a moment, later the wheels lie beside the library.
 *
 * @param missing the wheels that are still to be downloaded
 */
export function neededBytes(variant: Variant, missing: readonly Wheel[]): number {
  return bytesOf(missing) + CONTENTS[variant].bytes + SPARE_BYTES;
}

/** Names of the shared libraries inside the wheel's `tensorflow/` folder, and later in `lib/`. */
export const SHARED_LIBRARIES = ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2'] as const;

const HEADER_FOLDERS = [
  'tensorflow/include/tensorflow/c/',
  'tensorflow/include/tensorflow/core/platform/',
  'tensorflow/include/tsl/',
  'tensorflow/include/xla/tsl/',
];

/**
 * Where CUDA's libraries lie, below the library folder: all in one, for they look for each other beside themselves, and TensorFlow looks
 * in `../nvidia/cublas/lib` from its `lib/`. In the folders of their wheels it would not find cuSOLVER, and compute on the CPU.
 */
const CUDA_FOLDER = 'nvidia/cublas/lib';
const CUDA_LIBRARY = /^nvidia\/\w+\/lib\/(lib[\w-]+\.so[\w.]*)$/;

/** The assembler and the mathematical functions that TensorFlow compiles kernels with; it looks for them in `../nvidia/cuda_nvcc`. */
const CUDA_TOOLS = ['nvidia/cuda_nvcc/bin/ptxas', 'nvidia/cuda_nvcc/nvvm/libdevice/libdevice.10.bc'];

/** Where a wheel entry goes: below the library folder, below that of headers, or nowhere. */
export interface WheelTarget {
  readonly kind: 'library' | 'header';
  readonly path: string;
}

/** The target of a wheel entry, or undefined when it is not needed; `entryName` is a `/`-separated zip path. */
export function toWheelTarget(entryName: string): WheelTarget | undefined {
  const library = SHARED_LIBRARIES.find((name) => entryName === `tensorflow/${name}`);
  if (library !== undefined) return { kind: 'library', path: `lib/${library}` };
  const ofCuda = CUDA_LIBRARY.exec(entryName)?.[1];
  if (ofCuda !== undefined) return { kind: 'library', path: `${CUDA_FOLDER}/${ofCuda}` };
  if (CUDA_TOOLS.includes(entryName)) return { kind: 'library', path: entryName };
  const isHeader = !entryName.endsWith('/') && HEADER_FOLDERS.some((folder) => entryName.startsWith(folder));
  return isHeader ? { kind: 'header', path: entryName.slice('tensorflow/include/'.length) } : undefined;
}
