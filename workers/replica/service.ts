// A replica behind the messages of shared/protocol.ts; the entry files put it on a transport.
import { threadId } from 'node:worker_threads';
import type { Backend } from '../../shared/backend.ts';
import { isOnHost } from '../../shared/device-memory.ts';
import { GanglionError } from '../../shared/error.ts';
import type { PassSeconds, ReplicaService, ReplicaSetup, ShardJob, ShardOutcome } from '../../shared/protocol.ts';
import type { ShardChannel } from '../../shared/shard-channel.ts';
import type { Engine } from '../engines/engine.ts';
import { strikeBefore, strikeOutcome, strikeResult } from './faults.ts';
import { Replica, toReplicaError } from './replica.ts';
import { SerialQueue, yieldToEventLoop } from './serial-queue.ts';
import { type ShardComputer, serveShards } from './shard-server.ts';

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
  createEngine: (backend: Backend, gpu: number | undefined) => Promise<Engine>,
): LocalReplicaService {
  let id = -1;
  let engine: Engine | undefined;
  let replica: Replica | undefined;
  let setup: ReplicaSetup | undefined;
  /** Whether shards come over a channel: only there several are computed at once. */
  let isServing = false;
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
  /** What follows from a pass that has been computed. */
  const noteComputed = ({ pass, step, shard }: ShardJob): void => {
    if (pass === 'fake') {
      if (fakePasses.step !== step) fakePasses = { step, shards: [] };
      fakePasses.shards.push(shard);
      if (!queue.hasPending) precompute().catch(() => {});
    } else fakePasses = { step: -1, shards: [] };
  };
  const outcomeOf = (job: ShardJob, result: PassSeconds | GanglionError | undefined): ShardOutcome => {
    if (!result || result instanceof GanglionError) throw result;
    noteComputed(job);
    const { step, pass, shard, fault } = job;
    const outcome: ShardOutcome = { ok: true, step, pass, shard, seconds: result, tensors: engine?.tensorCount() ?? 0 };
    if (!fault) return outcome;
    const values = setup?.results[pass][job.slot];
    if (values && isOnHost(values)) strikeResult(fault, values);
    else if (values) engine?.edit?.(values, (numbers) => strikeResult(fault, numbers));
    return strikeOutcome(fault, outcome);
  };
  /** Begins jobs of one step and pass; never throws. */
  const begin: ShardComputer['begin'] = (jobs, onBegun) => {
    const fail = (error: unknown, job: ShardJob): ShardOutcome => ({
      ok: false,
      error: toReplicaError(error, id, job).toPlain(),
    });
    try {
      for (const { fault } of jobs) if (fault) strikeBefore(fault);
      const finish = started().begin(jobs, onBegun);
      return async () => {
        try {
          const computed = await finish();
          return jobs.map((job, i) => {
            try {
              return outcomeOf(job, computed[i]);
            } catch (error) {
              return fail(error, job);
            }
          });
        } catch (error) {
          return jobs.map((job) => fail(error, job));
        }
      };
    } catch (error) {
      return async () => jobs.map((job) => fail(error, job));
    }
  };
  return {
    start: (given) =>
      queue.run(async () => {
        id = given.replica;
        setup = given;
        try {
          engine = await createEngine(given.backend, given.gpu);
          replica = await Replica.start(engine, given);
          const { name, libraryVersion, arithmetic, device } = engine;
          const { together } = replica;
          const ready = {
            ...{ engine: name, libraryVersion, threadId, pid: process.pid },
            ...(arithmetic === undefined ? {} : { arithmetic }),
            ...(device === undefined ? {} : { device }),
            ...(isServing && together > 1 ? { together } : {}),
          };
          return { ok: true, ready };
        } catch (error) {
          return { ok: false, error: toReplicaError(error, id).toPlain() };
        }
      }),
    compute: (job) =>
      queue.run(async () => {
        const [outcome] = await begin([job])();
        if (!outcome) throw new Error('a job has an outcome');
        return outcome;
      }),
    serve: (channel) => {
      isServing = true;
      const hasImages = (): boolean => setup?.imagesAt !== undefined;
      serveShards(channel, { begin, hasImages, together: () => replica?.together ?? 1 }, queue);
    },
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
