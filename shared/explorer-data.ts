// What `ganglion export` puts into explorer.html beside the code: the page's only source, as it loads nothing.

import type { ModelSpec } from './model/spec.ts';

/** Numbers of the page that come as base64 of little-endian float32. */
export type Base64Floats = string;

/** The JSON in the page's element `explorer-data`; the bytes of weights and kernels lie in elements of their own. */
export interface ExplorerData {
  /** Name of the run's folder. */
  readonly run: string;
  /** Step of the checkpoint. */
  readonly step: number;
  readonly spec: ModelSpec;
  /** Orthonormal directions of the latent space, strongest first. */
  readonly directions: {
    /** [count, latent]. */
    readonly values: Base64Floats;
    /** Of the first layer's response to noise, the part that each one causes; together at most 1. */
    readonly shares: readonly number[];
  };
  /** What `ganglion sample` draws, for the page to prove that it computes right. */
  readonly check: {
    readonly seed: number;
    readonly count: number;
    /** [count, ...image], in [-1, 1]. */
    readonly images: Base64Floats;
  };
  /** Digits to open on: the clearest of the first ones of a seed, clearest first, by number. */
  readonly clearest: {
    readonly seed: number;
    readonly images: readonly number[];
  };
}
