// A replica behind the messages of shared/protocol.ts; the entry files put it on a transport.
import { threadId } from 'node:worker_threads';
import type { Backend } from '../../shared/backend.ts';
import type { InjectedFault } from '../../shared/fault.ts';
import type { ReplicaService, ReplicaSetup, ShardChannel, ShardJob, ShardOutcome } from '../../shared/protocol.ts';
import type { Engine } from '../engines/engine.ts';
import { strikeBefore, strikeOutcome, strikeResult } from './faults.ts';
import { Replica, toReplicaError } from './replica.ts';
import { SerialQueue, yieldToEventLoop } from './serial-queue.ts';
import { serveShards } from './shard-server.ts';

/** What a replica offers in its own thread. */
export interface LocalReplicaService extends ReplicaService {
  /** Computes the shards that come over a channel, in turn with all other calls. */
  serve(channel: ShardChannel): void;
}

/**
 * The service of one replica. It may hold several shards, and computes one after another.
 *
 * @param createEngine called once, at start
 */
export function replicaService(
  createEngine: (backend: Backend, replica: number) => Promise<Engine>,
): LocalReplicaService {
  let id = -1;
  let engine: Engine | undefined;
  let replica: Replica | undefined;
  let results: ReplicaSetup['results'] | undefined;
  const queue = new SerialQueue();
  /** Shards whose fake pass was the newest work, of one step. */
  let fakePasses: { readonly step: number; readonly shards: number[] } = { step: -1, shards: [] };
  const started = (): Replica => {
    if (!replica) throw new Error('the replica has not been started');
    return replica;
  };
  /**
   * Precomputes generator passes while the replica is idle: those of the shards whose fake pass it computed, the newest first. The
   * coordinator prefers this replica for them (coordinator/replicas/affinity.ts).
   */
  const precompute = async (): Promise<void> => {
    await yieldToEventLoop();
    if (queue.hasPending) return;
    const { step } = fakePasses;
    const shard = fakePasses.shards.pop();
    if (shard === undefined) return;
    await queue.run(async () => replica?.precompute(step, shard));
    await precompute();
  };
  const compute = async (job: ShardJob): Promise<ShardOutcome> => {
    const seconds = await started().compute(job);
    if (job.pass === 'fake') {
      if (fakePasses.step !== job.step) fakePasses = { step: job.step, shards: [] };
      fakePasses.shards.push(job.shard);
      if (!queue.hasPending) precompute().catch(() => {});
    } else fakePasses = { step: -1, shards: [] };
    const { step, pass, shard } = job;
    return { ok: true, step, pass, shard, seconds, tensors: engine?.tensorCount() ?? 0 };
  };
  const computeWith = async (fault: InjectedFault, job: ShardJob): Promise<ShardOutcome> => {
    strikeBefore(fault);
    const outcome = await compute(job);
    const values = results?.[job.pass][job.slot];
    if (values) strikeResult(fault, values);
    return strikeOutcome(fault, outcome);
  };
  const outcomeOf = async (job: ShardJob): Promise<ShardOutcome> => {
    try {
      return await (job.fault ? computeWith(job.fault, job) : compute(job));
    } catch (error) {
      return { ok: false, error: toReplicaError(error, id, job).toPlain() };
    }
  };
  return {
    start: (setup) =>
      queue.run(async () => {
        id = setup.replica;
        results = setup.results;
        try {
          engine = await createEngine(setup.backend, setup.replica);
          replica = await Replica.start(engine, setup);
          const { name, libraryVersion, arithmetic, device } = engine;
          const ready = {
            ...{ engine: name, libraryVersion, threadId, pid: process.pid },
            ...(arithmetic === undefined ? {} : { arithmetic }),
            ...(device === undefined ? {} : { device }),
          };
          return { ok: true, ready };
        } catch (error) {
          return { ok: false, error: toReplicaError(error, id).toPlain() };
        }
      }),
    compute: (job) => queue.run(() => outcomeOf(job)),
    serve: (channel) => serveShards(channel, outcomeOf, queue),
    sample: (job) =>
      queue.run(async () => {
        try {
          return { ok: true, images: await started().sample(job) };
        } catch (error) {
          return { ok: false, error: toReplicaError(error, id).toPlain() };
        }
      }),
    stop: () =>
      queue.run(async () => {
        replica?.dispose();
        replica = undefined;
      }),
  };
}
