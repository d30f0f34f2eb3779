// A replica in a worker thread, called by Comlink, and for shards by a channel of their own. Parameters, images and results lie in shared
// memory: only small messages travel.
import { setTimeout as delay } from 'node:timers/promises';
import { MessageChannel, type MessagePort, SHARE_ENV, Worker } from 'node:worker_threads';
import { wrap } from 'comlink';
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs';
import { isOnHost } from '../../../shared/device-memory.ts';
import { type FaultReason, messageOf } from '../../../shared/error.ts';
import type { Pass } from '../../../shared/model/layout.ts';
import { imageSizeOf } from '../../../shared/model/spec.ts';
import type { ReplicaService, ReplicaSetup, SampleJob, SampleOutcome, StartOutcome } from '../../../shared/protocol.ts';
import type { ShardChannel } from '../../../shared/shard-channel.ts';
import type { Replica } from '../replica.ts';
import { flagsForThread } from './inherited-flags.ts';
import { followThread } from './living-threads.ts';
import { succeeded } from './outcomes.ts';
import { ResultSlots } from './result-slots.ts';
import { ShardCalls } from './shard-calls.ts';
import { MemoryPool, type ThreadMemory } from './thread-memory.ts';
import { WaitingCalls } from './waiting-calls.ts';

export interface ThreadOptions {
  /** Compiled entry file of the worker. */
  readonly entry: URL;
  readonly setup: Omit<ReplicaSetup, 'replica' | 'results'>;
  /** All images that shards may name, uint8 [count, values of an image]. */
  readonly images: Uint8Array;
  /** After this time a start or a picture is given up and the replica counts as lost. */
  readonly deadlineMs: number;
  /** Ends a start that is under way. */
  readonly abandon?: AbortSignal;
  /** Gives the replica its memory, and takes it back; by default it has memory of its own. */
  readonly pool?: MemoryPool;
  /** Whether something may write to the memory of a replica that has ended: nobody gets it then. Default: nothing does. */
  readonly mayWriteLate?: () => boolean;
}

const STOP_MS = 5_000;

/**
 * Starts a replica in a thread of its own and waits until it has run every program once.
 *
 * @throws GanglionError when it does not start; the thread has ended then
 */
export async function startThreadReplica(id: number, options: ThreadOptions): Promise<Replica> {
  const { entry, setup, images, deadlineMs, abandon, mayWriteLate } = options;
  const { pool = new MemoryPool(setup.spec, setup.shardSize) } = options;
  const { port1, port2 } = new MessageChannel();
  const memory = pool.take();
  const begun = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  const channel = (port: MessagePort): ShardChannel => ({
    port,
    images,
    imageSize: imageSizeOf(setup.spec),
    indices: memory.indices,
    begun,
  });
  const worker = new Worker(entry, {
    env: SHARE_ENV, // the native library reads the environment of the process, which the worker sets before it loads it
    name: `replica-${id}`,
    ...flagsForThread(),
    workerData: channel(port2),
    transferList: [port2],
  });
  followThread(worker);
  const { results } = memory;
  const slots = new ResultSlots(results);
  const calls = new WaitingCalls<unknown, undefined>(id);
  const shards = new ShardCalls(id, channel(port1), slots, calls);
  // Comlink never settles a call to a dead worker: every call also ends with the worker, and at a deadline, the group's for shards.
  const service = wrap<ReplicaService>(nodeEndpoint(worker));

  const lose = (reason: FaultReason, what: string, cause?: unknown): void => {
    calls.lose(reason, what, cause, shards.computed);
    shards.close();
  };
  /** By itself. */
  let ends = false;
  worker.on('error', (error) => {
    ends = true;
    worker.unref(); // what it frees at its end may wait for a GPU
    lose('error', `crashed: ${messageOf(error)}`, error);
  });
  worker.on('exit', (code) => {
    ends = true;
    lose('exit', `ended with exit code ${code}`);
    if (!mayWriteLate?.()) slots.onFree(() => pool.give(memory)); // what it gave may still be held
  });

  /** Ends the thread between two native calls: terminating it inside one can take the process along. */
  async function stop(): Promise<void> {
    if (ends) return;
    const stopped = service.stop();
    try {
      await calls.call(() => stopped, { ms: STOP_MS, what: 'stop' });
    } catch {
      // Stuck in a native call: left behind, so that it cannot take the process along, until it comes to itself.
      worker.unref();
      port1.close();
      const end = () => worker.terminate();
      stopped.then(end, end);
      return;
    }
    const terminated = worker.terminate();
    await Promise.race([terminated, delay(STOP_MS, undefined, { ref: false })]); // what it frees at its end may wait for a GPU
    worker.unref();
  }

  const onAbandon = (): void => lose('exit', 'was not wanted any more when it had started');
  abandon?.addEventListener('abort', onAbandon);
  try {
    const started = await calls.call<StartOutcome>(
      () => service.start({ ...setup, replica: id, results: toPlaces(results) }),
      {
        ms: deadlineMs,
        what: 'start',
      },
    );
    const { ready } = succeeded(started);
    return {
      id,
      kind: 'thread',
      ready,
      stop,
      compute: (shard, onBegun) => shards.compute(shard, onBegun),
      get computed() {
        return shards.computed;
      },
      async sample(job: SampleJob): Promise<Float32Array> {
        const outcome = await calls.call<SampleOutcome>(() => service.sample(job), {
          ms: deadlineMs,
          what: `${job.count} samples`,
        });
        return succeeded(outcome).images;
      },
    };
  } catch (error) {
    await stop();
    throw error;
  } finally {
    abandon?.removeEventListener('abort', onAbandon);
  }
}

/** Results as a message carries them. */
function toPlaces(results: ThreadMemory['results']): ReplicaSetup['results'] {
  const places = (pass: Pass) =>
    results[pass].map((values) => (isOnHost(values) ? values : { address: values.address, length: values.length }));
  return { real: places('real'), fake: places('fake'), generator: places('generator') };
}
