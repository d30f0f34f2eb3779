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

type Values = ShardResult['values'];

export class MemoryPool {
  readonly #create: () => ThreadMemory;
  readonly #free: ThreadMemory[] = [];
  /** By length: vectors of memories that a device had no room for as a whole. It takes nothing back. */
  readonly #spare = new Map<number, Values[]>();

  /**
   * @param shardSize images a shard
   * @param device where results are to lie; default: the host
   */
  constructor(spec: ModelSpec, shardSize: number, device?: UpdateDevice) {
    const shared = (bytes: number): SharedArrayBuffer => new SharedArrayBuffer(bytes);
    const vector = (length: number): Values => {
      if (!device) return new Float32Array(shared(length * Float32Array.BYTES_PER_ELEMENT));
      const place = device.allocate(length);
      return { ...place, read: () => device.read([place])[0] ?? new Float32Array() };
    };
    this.#create = () => ({
      results: this.#vectors(spec, vector),
      indices: Array.from(
        { length: RESULT_SLOTS },
        () => new Uint32Array(shared(shardSize * Uint32Array.BYTES_PER_ELEMENT)),
      ),
    });
  }

  #vectors(spec: ModelSpec, create: (length: number) => Values): ThreadMemory['results'] {
    const taken: Values[] = [];
    try {
      return resultVectors<Values>(spec, (length) => {
        const values = this.#spare.get(length)?.pop() ?? create(length);
        taken.push(values);
        return values;
      });
    } catch (error) {
      for (const values of taken) this.#spare.set(values.length, [...(this.#spare.get(values.length) ?? []), values]);
      throw error;
    }
  }

  take(): ThreadMemory {
    return this.#free.pop() ?? this.#create();
  }

  /** @param memory that nobody reads or writes any more. A result is written to the places of the one before in its slot */
  give(memory: ThreadMemory): void {
    this.#free.push(memory);
  }
}
