// Generator passes that have been precomputed, until they are asked for or their step is over.
import type { PassSeconds } from '../../shared/protocol.ts';
import type { Precomputed } from './executor.ts';

/** The first part of a generator pass. */
export interface PrecomputedPass {
  readonly z: Float32Array;
  readonly values: Precomputed;
  /** When it was computed, and how long it took. */
  readonly seconds: NonNullable<PassSeconds['precompute']>;
}

/** Keeps them by shard, all of one step. */
export class PrecomputedPasses {
  readonly #passes = new Map<number, PrecomputedPass>();
  #step = -1;

  /** Drops what belongs to another step. */
  enter(step: number): void {
    if (step === this.#step) return;
    for (const { values } of this.#passes.values()) values.dispose();
    this.#passes.clear();
    this.#step = step;
  }

  has(shard: number): boolean {
    return this.#passes.has(shard);
  }

  keep(shard: number, pass: PrecomputedPass): void {
    this.#passes.set(shard, pass);
  }

  /** Hands a pass over to the caller, if it is there. */
  take(shard: number): PrecomputedPass | undefined {
    const pass = this.#passes.get(shard);
    this.#passes.delete(shard);
    return pass;
  }

  dispose(): void {
    this.enter(-1);
  }
}
