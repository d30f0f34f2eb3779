// What a replica computes with, as people name it (--backend) and as it is told at its start.

/**
 * - `cpu`: Ganglion's own kernels, compiled for this processor: the fastest;
 * - `cuda`: the same arithmetic on an NVIDIA GPU, with the same bits;
 * - `tensorflow`: libtensorflow, which `ganglion setup --tensorflow` fetches;
 * - `wasm`: the same kernels in WebAssembly, with the same bits, wherever Node.js runs;
 * - `webgpu`: kernels of tfjs on a GPU, through the optional package `webgpu`;
 * - `js`: kernels of tfjs in plain JavaScript: slow, to check the others with.
 */
export const BACKENDS = ['cpu', 'cuda', 'tensorflow', 'wasm', 'webgpu', 'js'] as const;
export type Backend = (typeof BACKENDS)[number];

/** Those that follow docs/arithmetic.md: a run may go from one to another, with the same bits. */
export const ONE_ARITHMETIC: readonly Backend[] = ['cpu', 'cuda', 'wasm'];

/** What `native` has meant: `cpu` goes by that name on the command line and in config files too. */
const FORMER_NAMES: Readonly<Record<string, Backend>> = { native: 'cpu' };

/** The name of today for a name that people may still use. */
export function toBackendName(given: unknown): unknown {
  return typeof given === 'string' && Object.hasOwn(FORMER_NAMES, given) ? FORMER_NAMES[given] : given;
}
