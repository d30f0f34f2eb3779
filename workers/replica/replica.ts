// The replica: turns (step, pass, shard) into a phase vector, and draws samples. It knows which parameters a pass needs, not how an engine
// computes it, and not the transport that calls it (thread-entry.ts).
import { type ErrorPlace, GanglionError, messageOf } from '../../shared/error.ts';
import { exactLimit } from '../../shared/exact-sum.ts';
import type { Net } from '../../shared/model/layout.ts';
import {
  describeShard,
  type PassSeconds,
  type ReplicaSetup,
  type SampleJob,
  type ShardJob,
} from '../../shared/protocol.ts';
import type { Engine, OutOfRange, ShardResult } from '../engines/engine.ts';

/** One replica. It is asked one thing at a time (service.ts). */
export class Replica {
  readonly #engine: Engine;
  readonly #setup: ReplicaSetup;
  readonly #limit: number;

  /** Prepares the engine for the model. */
  static async start(engine: Engine, setup: ReplicaSetup): Promise<Replica> {
    const { spec, shardSize, seed, shards, realLabel, imagesAt, vectorsOn } = setup;
    const limit = exactLimit(shards * 2); // the discriminator phase adds two passes
    await engine.prepare({ spec, shardSize, seed, shards, realLabel, imagesAt, vectorsOn, limit });
    return new Replica(engine, setup, limit);
  }

  private constructor(engine: Engine, setup: ReplicaSetup, limit: number) {
    this.#engine = engine;
    this.#setup = setup;
    this.#limit = limit;
  }

  /** Shards that it computes at once. */
  get together(): number {
    return this.#engine.beginPass ? (this.#engine.together ?? 1) : 1;
  }

  /** Computes a pass of a shard. @throws GanglionError as {@link begin} gives */
  async compute(job: ShardJob): Promise<PassSeconds> {
    const [result] = await this.begin([job])();
    if (!result || result instanceof GanglionError) throw result;
    return result;
  }

  /**
   * Begins a pass of shards, each into its job's result slot: at most {@link together}, and one alone where it has a fault.
   *
   * @param jobs of one step and pass
   * @param onBegun told the mark of the device behind which all results are there, where there is one
   * @returns waits for the shards: when each began and the seconds of its parts, or the value that the exact sum cannot take, a
   *   GanglionError `range` whose message names the value alone; its slot is then worthless. To be called in the order of the passes
   */
  begin(jobs: readonly ShardJob[], onBegun?: (mark: number) => void): () => Promise<(PassSeconds | GanglionError)[]> {
    const [first] = jobs;
    if (!first) return async () => [];
    const { pass, step, after } = first;
    const shards = jobs.map(({ shard, slot, pixels, images }) => {
      const into = this.#setup.results[pass][slot];
      if (!into) throw new Error(`there is no result slot ${slot}`);
      return { shard, into, ...(pixels ? { pixels } : {}), ...(images ? { images } : {}) };
    });
    // Real images need D alone: G may be changing meanwhile. A generator pass takes the D that its step has updated.
    if (pass !== 'real') this.#setParameters('generator', step, after);
    this.#setParameters('discriminator', pass === 'generator' ? step + 1 : step, after);
    if (jobs.some(({ fault }) => fault?.kind === 'nan')) this.#poison();
    const pending = this.#engine.beginPass?.(pass, step, shards, onBegun);
    return async () => {
      const results = await (pending?.finish() ?? this.#engine.computePass(pass, step, shards));
      return jobs.map((job, i) => this.#take(job, results[i]));
    };
  }

  /**
   * Precomputes what the generator pass of a shard needs G alone for, while there is nothing else to do. The parameters of G must be those
   * of that step.
   *
   * @returns whether there was something to precompute
   */
  async precompute(step: number, shard: number): Promise<boolean> {
    if (!this.#engine.precompute) return false;
    this.#setParameters('generator', step);
    return this.#engine.precompute(step, shard);
  }

  /** Draws images [count, values of an image] in [-1, 1]; image i depends on (seed, i) only, unless the statistics are the batch's own. */
  async sample(job: SampleJob): Promise<Float32Array> {
    // Samples belong to no step.
    this.#engine.setParameters('generator', undefined, job.parameters ?? this.#setup.parameters.generator);
    return this.#engine.sample(job);
  }

  dispose(): void {
    this.#engine.dispose();
  }

  /** @param step a net's parameters change once a step, so the number of updates names them, unless something else is said */
  #setParameters(net: Net, step: number, after?: ShardJob['after']): void {
    this.#engine.setParameters(net, after?.versions[net] ?? step, this.#setup.parameters[net], after?.mark);
  }

  /** Carries out a planned fault: D's parameters are not numbers for one pass, so the engine computes none. */
  #poison(): void {
    const { length } = this.#setup.parameters.discriminator;
    this.#engine.setParameters('discriminator', undefined, new Float32Array(length).fill(Number.NaN));
  }

  #take(job: ShardJob, result: ShardResult | undefined): PassSeconds | GanglionError {
    if (!result) throw new Error(`the engine gave no result of ${describeShard(job)}`);
    return result.ok ? result.seconds : this.#toRangeError(job, result.outOfRange);
  }

  #toRangeError(job: ShardJob, { name, value }: OutOfRange): GanglionError {
    const message = `${name} is ${value}, expected a finite value below ${this.#limit}`;
    return new GanglionError('range', message, { place: placeOf(this.#setup.replica, job), reason: 'range' });
  }
}

function placeOf(replica: number, job?: ShardJob): ErrorPlace {
  return job ? { replica, step: job.step, pass: job.pass, shard: job.shard } : { replica };
}

/** Anything thrown by a replica as an error that names replica, step and shard. */
export function toReplicaError(error: unknown, replica: number, job?: ShardJob): GanglionError {
  if (error instanceof GanglionError && error.place.replica !== undefined) return error;
  const where = job ? ` on ${describeShard(job)}` : '';
  const code = error instanceof GanglionError ? error.code : 'replica';
  const message = `replica ${replica} failed${where}: ${messageOf(error)}`;
  return new GanglionError(code, message, { cause: error, place: placeOf(replica, job), reason: 'error' });
}
