// A replica behind the messages of shared/protocol.ts; the entry files put it on a transport.
import { threadId } from 'node:worker_threads';
import type { ReplicaService } from '../shared/protocol.ts';
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
  const started = (): Replica => {
    if (!replica) throw new Error('the replica has not been started');
    return replica;
  };
  return {
    async start(setup) {
      id = setup.replica;
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
        const seconds = started().compute(job);
        const { step, pass, shard } = job;
        return { ok: true, step, pass, shard, seconds, tensors: engine?.tensorCount() ?? 0 };
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
