// The memory that the coordinator shares with replicas in threads. A new replica reuses the memory of one that has ended, because shared
// memory is freed late, by garbage collection.
import { RESULT_SLOTS } from '../../../shared/flow.ts';
import type { Pass } from '../../../shared/model/layout.ts';
import type { ModelSpec } from '../../../shared/model/spec.ts';
import { resultArrays } from './result-slots.ts';

/** What a replica in a thread and the coordinator share, by slot. */
export interface ThreadMemory {
  readonly results: Readonly<Record<Pass, readonly Float32Array[]>>;
  /** Indices of the images of a shard. */
  readonly indices: readonly Uint32Array[];
}

export class MemoryPool {
  readonly #create: () => ThreadMemory;
  readonly #free: ThreadMemory[] = [];

  /** @param shardSize images a shard */
  constructor(spec: ModelSpec, shardSize: number) {
    const shared = (bytes: number): SharedArrayBuffer => new SharedArrayBuffer(bytes);
    this.#create = () => ({
      results: resultArrays(spec, shared),
      indices: Array.from(
        { length: RESULT_SLOTS },
        () => new Uint32Array(shared(shardSize * Uint32Array.BYTES_PER_ELEMENT)),
      ),
    });
  }

  take(): ThreadMemory {
    return this.#free.pop() ?? this.#create();
  }

  /** @param memory that nobody reads or writes any more. A result is written to the places of the one before in its slot */
  give(memory: ThreadMemory): void {
    this.#free.push(memory);
  }
}
