// A replica behind the messages of shared/protocol.ts; the entry files put it on a transport.
import { threadId } from 'node:worker_threads';
import type { InjectedFault } from '../shared/fault.ts';
import type { ReplicaService, ReplicaSetup, ShardJob, ShardOutcome } from '../shared/protocol.ts';
import { strikeBefore, strikeOutcome, strikeResult } from './faults.ts';
import { type Engine, Replica, toReplicaError } from './replica.ts';

/**
 * The service of one replica.
 *
 * @param makeEngine called once, at start
 */
export function replicaService(makeEngine: () => Engine): ReplicaService {
  let id = -1;
  let engine: Engine | undefined;
  let replica: Replica | undefined;
  let results: ReplicaSetup['results'] | undefined;
  const started = (): Replica => {
    if (!replica) throw new Error('the replica has not been started');
    return replica;
  };
  const compute = (job: ShardJob): ShardOutcome => {
    const seconds = started().compute(job);
    const { step, pass, shard } = job;
    return { ok: true, step, pass, shard, seconds, tensors: engine?.tensorCount() ?? 0 };
  };
  const computeWith = (fault: InjectedFault, job: ShardJob): ShardOutcome => {
    strikeBefore(fault);
    const outcome = compute(job);
    if (results) strikeResult(fault, results[job.pass][job.slot]);
    return strikeOutcome(fault, outcome);
  };
  return {
    async start(setup) {
      id = setup.replica;
      results = setup.results;
      try {
        engine = makeEngine();
        replica = new Replica(engine, setup);
        const { backend, libraryVersion } = engine;
        return { ok: true, ready: { backend, libraryVersion, threadId, pid: process.pid } };
      } catch (error) {
        return { ok: false, error: toReplicaError(error, id).toPlain() };
      }
    },
    async compute(job) {
      try {
        return job.fault ? computeWith(job.fault, job) : compute(job);
      } catch (error) {
        return { ok: false, error: toReplicaError(error, id, job).toPlain() };
      }
    },
    async sample(job) {
      try {
        return { ok: true, images: started().sample(job) };
      } catch (error) {
        return { ok: false, error: toReplicaError(error, id).toPlain() };
      }
    },
    async stop() {
      replica?.dispose();
      replica = undefined;
    },
  };
}
