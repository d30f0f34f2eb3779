// The memory that the coordinator shares with replicas in threads. A new replica reuses the memory of one that has ended, because shared
// memory is freed late, by garbage collection.
import type { UpdateDevice } from '../../../shared/device-memory.ts';
import { RESULT_SLOTS } from '../../../shared/flow.ts';
import type { Pass } from '../../../shared/model/layout.ts';
import type { ModelSpec } from '../../../shared/model/spec.ts';
import type { ShardResult } from '../replica.ts';
import { resultVectors } from './result-slots.ts';

/** What a replica in a thread and the coordinator share, by slot. */
export interface ThreadMemory {
  readonly results: Readonly<Record<Pass, readonly ShardResult['values'][]>>;
  /** Indices of the images of a shard. */
  readonly indices: readonly Uint32Array[];
}

export class MemoryPool {
  readonly #create: () => ThreadMemory;
  readonly #free: ThreadMemory[] = [];

  /**
   * @param shardSize images a shard
   * @param device where results are to lie; default: the host
   */
  constructor(spec: ModelSpec, shardSize: number, device?: UpdateDevice) {
    const shared = (bytes: number): SharedArrayBuffer => new SharedArrayBuffer(bytes);
    this.#create = () => ({
      results: resultVectors<ShardResult['values']>(spec, (length) => {
        if (!device) return new Float32Array(shared(length * Float32Array.BYTES_PER_ELEMENT));
        const place = device.allocate(length);
        return { ...place, read: () => device.read([place])[0] ?? new Float32Array() };
      }),
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
