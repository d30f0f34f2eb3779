// A replica behind the messages of shared/protocol.ts; the entry files put it on a transport.
import { threadId } from 'node:worker_threads';
import type { Backend } from '../shared/backend.ts';
import type { InjectedFault } from '../shared/fault.ts';
import type { ReplicaService, ReplicaSetup, ShardJob, ShardOutcome } from '../shared/protocol.ts';
import { strikeBefore, strikeOutcome, strikeResult } from './faults.ts';
import { type Engine, Replica, toReplicaError } from './replica.ts';

/** Runs asynchronous work one piece after another, in the order in which it was asked for. */
function oneAfterAnother(): <Result>(work: () => Promise<Result>) => Promise<Result> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const next = last.then(work);
    last = next.catch(() => {}); // the caller hears of it; what follows does not
    return next;
  };
}

/**
 * The service of one replica. Two shards are under way at it at a time: it computes the second when the first is done.
 *
 * @param createEngine called once, at start
 */
export function replicaService(createEngine: (backend: Backend) => Promise<Engine>): ReplicaService {
  let id = -1;
  let engine: Engine | undefined;
  let replica: Replica | undefined;
  let results: ReplicaSetup['results'] | undefined;
  const inTurn = oneAfterAnother();
  const started = (): Replica => {
    if (!replica) throw new Error('the replica has not been started');
    return replica;
  };
  const compute = async (job: ShardJob): Promise<ShardOutcome> => {
    const seconds = await started().compute(job);
    const { step, pass, shard } = job;
    return { ok: true, step, pass, shard, seconds, tensors: engine?.tensorCount() ?? 0 };
  };
  const computeWith = async (fault: InjectedFault, job: ShardJob): Promise<ShardOutcome> => {
    strikeBefore(fault);
    const outcome = await compute(job);
    if (results) strikeResult(fault, results[job.pass][job.slot]);
    return strikeOutcome(fault, outcome);
  };
  return {
    start: (setup) =>
      inTurn(async () => {
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
    compute: (job) =>
      inTurn(async () => {
        try {
          return await (job.fault ? computeWith(job.fault, job) : compute(job));
        } catch (error) {
          return { ok: false, error: toReplicaError(error, id, job).toPlain() };
        }
      }),
    sample: (job) =>
      inTurn(async () => {
        try {
          return { ok: true, images: await started().sample(job) };
        } catch (error) {
          return { ok: false, error: toReplicaError(error, id).toPlain() };
        }
      }),
    stop: () =>
      inTurn(async () => {
        replica?.dispose();
        replica = undefined;
      }),
  };
}
