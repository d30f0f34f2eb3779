// How shards reach a replica in a thread.
import type { MessagePort } from 'node:worker_threads';

/**
 * Bare messages, as Comlink's cost a coordinator that shares its cores with replicas too much.
 * A message to the replica is an array of jobs without their pixels, which it reads itself, one back an array of outcomes, in order.
 */
export interface ShardChannel {
  readonly port: MessagePort;
  /** All images, uint8 [count, imageSize], in shared memory. */
  readonly images: Uint8Array;
  /** Values of an image. */
  readonly imageSize: number;
  /** Shared memory for the indices of a job's images, by its slot. */
  readonly indices: readonly Uint32Array[];
  /** Shared memory: how many jobs the replica has begun. It tells, when the replica is lost, on which. */
  readonly begun: Int32Array;
}
