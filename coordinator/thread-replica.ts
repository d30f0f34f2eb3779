// A replica in a worker thread, called by Comlink. Parameters and results lie in shared memory: only small messages travel.
import { SHARE_ENV, Worker } from 'node:worker_threads';
import { wrap } from 'comlink';
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs';
import { z } from 'zod';
import { GanglionError, messageOf } from '../shared/error.ts';
import { type Pass, phaseOf } from '../shared/layout.ts';
import { phaseVectorOf } from '../shared/phase-vector.ts';
import {
  describeShard,
  type ReplicaService,
  type ReplicaSetup,
  type SampleJob,
  type SampleOutcome,
  type ShardOutcome,
  type StartOutcome,
} from '../shared/protocol.ts';
import { PendingCalls } from './pending-calls.ts';
import type { Replica, Shard, ShardResult } from './replica.ts';

export interface ThreadOptions {
  /** Compiled entry file of the worker. */
  readonly entry: URL;
  readonly setup: Omit<ReplicaSetup, 'replica' | 'results'>;
  /** After this time a start or a picture is given up and the replica counts as lost. */
  readonly deadlineMs: number;
}

const STOP_MS = 5_000;

const seconds = z.object({
  start: z.number(),
  prepare: z.number(),
  compute: z.number(),
  copy: z.number(),
  ahead: z.object({ start: z.number(), seconds: z.number() }).exactOptional(),
});
const shardOutcome = z.discriminatedUnion('ok', [
  z.object({
    ok: z.literal(true),
    step: z.number(),
    pass: z.string(),
    shard: z.number(),
    seconds,
    tensors: z.number(),
  }),
  z.object({ ok: z.literal(false), error: z.object({ code: z.string(), message: z.string(), place: z.object({}) }) }),
]);

function isShardOutcome(outcome: unknown): outcome is ShardOutcome {
  return shardOutcome.safeParse(outcome).success;
}

function resultSlots(latent: number): Record<Pass, [Float32Array, Float32Array]> {
  const slot = (pass: Pass): Float32Array =>
    new Float32Array(
      new SharedArrayBuffer(phaseVectorOf(phaseOf(pass), latent).length * Float32Array.BYTES_PER_ELEMENT),
    );
  const slots = (pass: Pass): [Float32Array, Float32Array] => [slot(pass), slot(pass)];
  return { real: slots('real'), fake: slots('fake'), generator: slots('generator') };
}

/**
 * Starts a replica in a thread of its own and waits until it has run every program once.
 *
 * @throws GanglionError when it does not start; the thread has ended then
 */
export async function startThreadReplica(id: number, options: ThreadOptions): Promise<Replica> {
  const { entry, setup, deadlineMs } = options;
  // SHARE_ENV: the native library reads the environment of the process, which the worker sets before it loads it.
  const worker = new Worker(entry, { env: SHARE_ENV, name: `replica-${id}` });
  const results = resultSlots(setup.latent);
  // Comlink never settles a call to a dead worker: every call also ends with the worker, and at a deadline, the group's for shards.
  const service = wrap<ReplicaService>(nodeEndpoint(worker));

  const calls = new PendingCalls(id);
  worker.on('error', (error) => calls.lose('error', `crashed: ${messageOf(error)}`, error));
  worker.on('exit', (code) => calls.lose('exit', `ended with exit code ${code}`));

  const malformed = (what: string, got: unknown): GanglionError => {
    const message = `replica ${id} gave a malformed answer: expected one to ${what}, got ${JSON.stringify(got)}`;
    return new GanglionError('replica', message, { place: { replica: id }, reason: 'frame' });
  };

  /** Ends the thread between two native calls: terminating it inside one can take the process along. */
  async function stop(): Promise<void> {
    if (calls.lost) return;
    const stopped = service.stop();
    try {
      await calls.call('stop', () => stopped, STOP_MS);
    } catch {
      // Stuck in a native call: left behind, so that it cannot take the process along, until it comes to itself.
      worker.unref();
      const end = () => worker.terminate();
      stopped.then(end, end);
      return;
    }
    await worker.terminate();
  }

  try {
    const started = await calls.call<StartOutcome>(
      'start',
      () => service.start({ ...setup, replica: id, results }),
      deadlineMs,
    );
    if (!started.ok) throw GanglionError.fromPlain(started.error);
    const { ready } = started;
    let slot: 0 | 1 = 0;
    return {
      id,
      kind: 'thread',
      ready,
      stop,
      async compute(shard: Shard): Promise<ShardResult> {
        const next = slot === 0 ? 1 : 0;
        slot = next;
        const values = results[shard.pass][next];
        const what = describeShard(shard);
        const outcome = await calls.call<unknown>(what, () => service.compute({ ...shard, slot: next }));
        if (!isShardOutcome(outcome)) throw malformed(what, outcome);
        if (!outcome.ok) throw GanglionError.fromPlain(outcome.error);
        if (outcome.step !== shard.step || outcome.pass !== shard.pass || outcome.shard !== shard.shard) {
          throw malformed(what, outcome);
        }
        return { values, seconds: outcome.seconds, tensors: outcome.tensors };
      },
      async sample(job: SampleJob): Promise<Float32Array> {
        const outcome = await calls.call<SampleOutcome>(`${job.count} samples`, () => service.sample(job), deadlineMs);
        if (!outcome.ok) throw GanglionError.fromPlain(outcome.error);
        return outcome.images;
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
