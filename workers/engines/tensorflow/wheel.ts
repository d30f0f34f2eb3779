// The Python wheel that libtensorflow comes from: its pinned identity, and which of its 13,000 files are taken.

import type { Wheel } from '../../build/pip-wheel.ts';
import { TENSORFLOW_VERSION } from './library.ts';

/** Pinned identity of the wheel. */
export const WHEEL: Wheel = {
  label: 'TensorFlow',
  requirement: `tensorflow-cpu==${TENSORFLOW_VERSION}`,
  pythonVersion: '3.11',
  platform: 'manylinux_2_27_x86_64',
  fileName: `tensorflow_cpu-${TENSORFLOW_VERSION}-cp311-cp311-manylinux_2_27_x86_64.whl`,
  sha256: '2b847d217b02ee7731ed91431daf3250daa0196c3c94614d23be27232e6e5b6c',
  bytes: 273_829_956,
};

/** Bytes on disk of the two shared libraries and the add-on. */
const LIBRARY_BYTES = 788_086_608 + 65_222_328 + 300_000;

/** Headers, the compiler's temporary files and file system overhead. */
const SPARE_BYTES = 100_000_000;

/** Bytes that the library needs at the peak of its set-up: pip holds the wheel twice for a moment, later the wheel lies beside the library. */
export function neededBytes(haveWheel: boolean): number {
  return (haveWheel ? 0 : WHEEL.bytes) + LIBRARY_BYTES + SPARE_BYTES;
}

/** Names of the shared libraries inside the wheel's `tensorflow/` folder, and later in `lib/`. */
export const SHARED_LIBRARIES = ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2'] as const;

const HEADER_FOLDERS = [
  'tensorflow/include/tensorflow/c/',
  'tensorflow/include/tensorflow/core/platform/',
  'tensorflow/include/tsl/',
  'tensorflow/include/xla/tsl/',
];

/** Where a wheel entry goes: a shared library by its bare name, a header by its path under `include/`, or nowhere. */
export type WheelTarget =
  | { readonly kind: 'library'; readonly path: string }
  | { readonly kind: 'header'; readonly path: string };

/** The target of a wheel entry, or undefined when it is not needed; `entryName` is a `/`-separated zip path. */
export function toWheelTarget(entryName: string): WheelTarget | undefined {
  const library = SHARED_LIBRARIES.find((name) => entryName === `tensorflow/${name}`);
  if (library !== undefined) return { kind: 'library', path: library };
  const isHeader = !entryName.endsWith('/') && HEADER_FOLDERS.some((folder) => entryName.startsWith(folder));
  return isHeader ? { kind: 'header', path: entryName.slice('tensorflow/include/'.length) } : undefined;
}
