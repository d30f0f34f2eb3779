// Keeps the free result slots of a replica. A shard takes a slot when it is asked for, and releases it when its result has been used.
import { RESULT_SLOTS } from '../../../shared/flow.ts';
import { type Pass, phaseOf } from '../../../shared/model/layout.ts';
import { phaseVectorOf } from '../../../shared/model/phase-vector.ts';
import type { ModelSpec } from '../../../shared/model/spec.ts';
import type { ShardResult } from '../replica.ts';

/** A place for the result of one shard. */
export interface ResultSlot {
  /** Its number among those of its pass. */
  readonly index: number;
  readonly values: ShardResult['values'];
  /** To be called once. */
  readonly release: () => void;
}

export class ResultSlots {
  readonly #slots: Readonly<Record<Pass, readonly ShardResult['values'][]>>;
  readonly #free: Readonly<Record<Pass, number[]>>;
  #taken = 0;
  #onFree: (() => void) | undefined;

  /** @param slots `RESULT_SLOTS` arrays of each pass */
  constructor(slots: Readonly<Record<Pass, readonly ShardResult['values'][]>>) {
    this.#slots = slots;
    const all = (pass: Pass): number[] => slots[pass].map((_, slot) => slot).toReversed();
    this.#free = { real: all('real'), fake: all('fake'), generator: all('generator') };
  }

  /** Takes the slot that was released last: its memory is most likely still in a cache. */
  take(pass: Pass): ResultSlot {
    const free = this.#free[pass];
    const index = free.pop();
    const values = this.#slots[pass][index ?? -1];
    if (index === undefined || !values)
      throw new Error(`no result slot of pass ${pass} is free: results were not released`);
    this.#taken += 1;
    const release = (): void => {
      free.push(index);
      this.#taken -= 1;
      this.#tell();
    };
    return { index, values, release };
  }

  /** Calls `tell` once no slot is taken, at once if none is. To be called when no further slot will be taken. */
  onFree(tell: () => void): void {
    this.#onFree = tell;
    this.#tell();
  }

  #tell(): void {
    if (this.#taken > 0) return;
    this.#onFree?.();
    this.#onFree = undefined;
  }
}

/** Vectors for the results of each pass. @param create makes one of so many numbers */
export function resultVectors<Vector>(spec: ModelSpec, create: (length: number) => Vector): Record<Pass, Vector[]> {
  const arrays = (pass: Pass): Vector[] => {
    const { length } = phaseVectorOf(phaseOf(pass), spec);
    return Array.from({ length: RESULT_SLOTS }, () => create(length));
  };
  return { real: arrays('real'), fake: arrays('fake'), generator: arrays('generator') };
}
