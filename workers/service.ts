// A replica behind the messages of shared/protocol.ts; the entry files put it on a transport.
import { threadId } from 'node:worker_threads';
import type { Backend } from '../shared/backend.ts';
import type { InjectedFault } from '../shared/fault.ts';
import type { ReplicaService, ReplicaSetup, ShardChannel, ShardJob, ShardOutcome } from '../shared/protocol.ts';
import { strikeBefore, strikeOutcome, strikeResult } from './faults.ts';
import { type Engine, Replica, toReplicaError } from './replica.ts';

/** Lets everything through that has been sent or received meanwhile: answers of this thread, calls from the other. */
async function letThrough(): Promise<void> {
  // The first callback follows the events at hand, the second those that have arrived by then.
  await new Promise(setImmediate);
  await new Promise(setImmediate);
}

/** Asynchronous work, one piece after another in the order in which it was asked for, and what there is to do in between. */
class Turns {
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  /** Whether something is wanted that has not begun. */
  get isWanted(): boolean {
    return this.#waiting > 0;
  }

  take<Result>(work: () => Promise<Result>): Promise<Result> {
    this.#waiting += 1;
    const next = this.#last.then(() => {
      this.#waiting -= 1;
      return work();
    });
    // The result is on its way before the next piece of work, which blocks the thread. An error the caller hears of.
    const sent = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
    this.#last = next.then(sent, sent);
    return next;
  }
}

/** What a replica offers in its own thread. */
export interface LocalReplicaService extends ReplicaService {
  /**
   * Computes the shards that come over a channel, one after another. Two outcomes of one pass that were asked for by one message go back
   * by one: every message that wakes the coordinator costs, where it has no core of its own, a replica's time.
   */
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
   * coordinator gives them to this replica, if it can (coordinator/affinity.ts).
   */
  const beginAhead = async (): Promise<void> => {
    await letThrough();
    if (turns.isWanted) return;
    const { step } = drawn;
    const shard = drawn.shards.pop();
    if (shard === undefined) return;
    await turns.take(async () => replica?.begin(step, shard));
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
    serve({ port, pixels, begun }) {
      const serveAll = async (jobs: readonly ShardJob[]): Promise<void> => {
        let outcomes: ShardOutcome[] = [];
        for (const [i, job] of jobs.entries()) {
          Atomics.add(begun, 0, 1);
          const image = pixels[job.slot];
          outcomes.push(await outcomeOf(job.pass === 'real' && image ? { ...job, pixels: image } : job));
          if (outcomes.length < 2 && jobs[i + 1]?.pass === job.pass) continue;
          port.postMessage(outcomes);
          outcomes = [];
        }
      };
      port.on('message', (jobs: readonly ShardJob[]) => void turns.take(() => serveAll(jobs)));
    },
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
