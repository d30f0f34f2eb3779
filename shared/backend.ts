// What a replica computes with, as people name it (--backend) and as it is told at its start.

/**
 * - `native`: Ganglion's own kernels, or libtensorflow where they cannot run: the fastest;
 * - `wasm`: kernels of tfjs in WebAssembly, wherever Node.js runs;
 * - `webgpu`: kernels of tfjs on a GPU, through the optional package `webgpu`;
 * - `cpu`: kernels of tfjs in plain JavaScript: slow, to check the others with.
 */
export const BACKENDS = ['native', 'wasm', 'webgpu', 'cpu'] as const;
export type Backend = (typeof BACKENDS)[number];
