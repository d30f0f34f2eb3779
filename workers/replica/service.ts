// A replica behind the messages of shared/protocol.ts; the entry files put it on a transport.
import { threadId } from 'node:worker_threads';
import type { Backend } from '../../shared/backend.ts';
import type { InjectedFault } from '../../shared/fault.ts';
import type { ReplicaService, ReplicaSetup, ShardChannel, ShardJob, ShardOutcome } from '../../shared/protocol.ts';
import type { Engine } from '../engines/engine.ts';
import { strikeBefore, strikeOutcome, strikeResult } from './faults.ts';
import { Replica, toReplicaError } from './replica.ts';
import { serveShards } from './shard-server.ts';
import { letThrough, Turns } from './turns.ts';

/** What a replica offers in its own thread. */
export interface LocalReplicaService extends ReplicaService {
  /** Computes the shards that come over a channel, in turn with all other calls. */
  serve(channel: ShardChannel): void;
}

/**
 * The service of one replica. Several shards are in its hands at a time: it computes one when that before it is done.
 *
 * @param createEngine called once, at start
 */
export function replicaService(createEngine: (backend: Backend) => Promise<Engine>): LocalReplicaService {
  let id = -1;
  let engine: Engine | undefined;
  let replica: Replica | undefined;
  let results: ReplicaSetup['results'] | undefined;
  const turns = new Turns();
  /** Shards whose fake pass was the newest work, of one step. */
  let drawn: { readonly step: number; readonly shards: number[] } = { step: -1, shards: [] };
  const started = (): Replica => {
    if (!replica) throw new Error('the replica has not been started');
    return replica;
  };
  /**
   * Begins generator passes until something is wanted: those of the shards whose fake pass was computed here, the newest first. The
   * coordinator gives them to this replica, if it can (coordinator/replicas/affinity.ts).
   */
  const beginAhead = async (): Promise<void> => {
    await letThrough();
    if (turns.isWanted) return;
    const { step } = drawn;
    const shard = drawn.shards.pop();
    if (shard === undefined) return;
    await turns.take(async () => replica?.precompute(step, shard));
    await beginAhead();
  };
  const compute = async (job: ShardJob): Promise<ShardOutcome> => {
    const seconds = await started().compute(job);
    if (job.pass === 'fake') {
      if (drawn.step !== job.step) drawn = { step: job.step, shards: [] };
      drawn.shards.push(job.shard);
      if (!turns.isWanted) beginAhead().catch(() => {});
    } else drawn = { step: -1, shards: [] };
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
      turns.take(async () => {
        id = setup.replica;
        results = setup.results;
        try {
          engine = await createEngine(setup.backend);
          replica = await Replica.start(engine, setup);
          const { backend, libraryVersion, device } = engine;
          const ready = { backend, libraryVersion, threadId, pid: process.pid };
          return { ok: true, ready: device === undefined ? ready : { ...ready, device } };
        } catch (error) {
          return { ok: false, error: toReplicaError(error, id).toPlain() };
        }
      }),
    compute: (job) => turns.take(() => outcomeOf(job)),
    serve: (channel) => serveShards(channel, outcomeOf, turns),
    sample: (job) =>
      turns.take(async () => {
        try {
          return { ok: true, images: await started().sample(job) };
        } catch (error) {
          return { ok: false, error: toReplicaError(error, id).toPlain() };
        }
      }),
    stop: () =>
      turns.take(async () => {
        replica?.dispose();
        replica = undefined;
      }),
  };
}
