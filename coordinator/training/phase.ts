// One phase of a step: replicas compute its passes shard by shard, the results are gathered, and an update ends it.
import { isOnHost } from '../../shared/device-memory.ts';
import { exactLimit } from '../../shared/exact-sum.ts';
import { RESULTS_HELD } from '../../shared/flow.ts';
import { PASSES, type Pass, type Phase } from '../../shared/model/layout.ts';
import { phaseVectorOf, type ScalarName } from '../../shared/model/phase-vector.ts';
import type { PassSeconds } from '../../shared/protocol.ts';
import type { UpdateKernels } from '../../shared/update.ts';
import type { BadShard } from '../replicas/bad-shard.ts';
import type { Shard, TakenResult } from '../replicas/replica.ts';
import type { AdamOptions } from './adam.ts';
import type { DeviceState } from './device-state.ts';
import { createDeviceUpdate } from './device-update.ts';
import type { Exchange } from './exchange.ts';
import type { OnSpan } from './span.ts';
import type { TrainingState } from './state.ts';
import { createUpdate } from './update.ts';

/** What training needs of the replicas. */
export interface ShardComputer {
  /**
   * Computes every shard once, those of earlier calls first; any number of calls may be under way.
   *
   * @param accept called once a shard that is not bad, in any order; it releases the result
   * @returns the bad shards
   */
  compute(shards: readonly Shard[], accept: (shard: Shard, result: TakenResult) => void): Promise<readonly BadShard[]>;
}

/** What happened in one phase. Figures of a phase whose update was skipped are NaN. */
export interface PhaseRecord {
  /** Mean loss on real and on fake images; the generator has none on real ones. */
  readonly lossReal: number;
  readonly lossFake: number;
  /** Mean output of D, a probability, on real and on fake images. */
  readonly outputReal: number;
  readonly outputFake: number;
  /** L2 norm of the mean gradient. */
  readonly gradientNorm: number;
  /** Bytes of results received from the replicas; those that stay on a device are not. */
  readonly gradientBytes: number;
  /**
   * Seconds: from handing out the shards to the update, or, where training goes ahead of a device, until its report is there; exact sum; sum over
   * nodes, with the wait for them; Adam, with the results that it adds to the sum in its own pass over memory; and the parts of every pass of every
   * shard.
   */
  readonly seconds: {
    readonly phase: number;
    readonly sum: number;
    readonly reduce: number;
    readonly adam: number;
    readonly shards: readonly PassSeconds[];
  };
  /** Shards of this node that have a value which is not finite or too large. */
  readonly bad: readonly BadShard[];
  /** Whether the update was skipped, because any node has such a shard: parameters, moments and statistics are as before. */
  readonly skipped: boolean;
  /** Tensors alive in the replica that answered last. */
  readonly tensors: number;
}

export interface PhaseOptions {
  readonly state: TrainingState;
  readonly replicas: ShardComputer;
  /** Adds up over several nodes. Default: this node is alone. */
  readonly exchange?: Exchange | undefined;
  /** Of either net. */
  readonly adam: Readonly<Record<Phase, AdamOptions>>;
  /** Shards a step, over all nodes. */
  readonly shards: number;
  /** Default: JavaScript. The bits do not depend on it. */
  readonly kernels?: UpdateKernels | undefined;
  /** The state on the device that all replicas compute on; it has begun. Default: the state lies on the host. */
  readonly device?: DeviceState | undefined;
  readonly span?: OnSpan | undefined;
}

/** A phase that has ended for the coordinator, perhaps ahead of the device that computes it. */
export interface EndedPhase {
  /** Undefined where the device has changed nothing since before the update, as a shard is bad; the step is to be computed again then. */
  readonly record: Promise<PhaseRecord | undefined>;
}

/** One phase, used again every step: `compute` its passes, then `update`. */
export interface PhaseLoop {
  /**
   * Computes a pass of this node's shards. The promise may be left alone: its error is thrown where it is awaited.
   *
   * @param toJob from the number of a shard
   */
  compute(pass: Pass, toJob: (shard: number) => Shard): Promise<void>;
  /**
   * Ends the phase, all of whose shards have been computed or are on their way: Adam on the mean gradient, running statistics.
   *
   * @param rateFactor of the learning rate
   */
  update(rateFactor: number): Promise<EndedPhase>;
  /** Drops what has been computed. */
  drop(): void;
  /** Ends the phase in place of `update`, as this node cannot: the others end it in the same way. @throws error, or what comes before it */
  giveUp(error: unknown): Promise<never>;
}

/** @param phase the net of the same name is what it updates */
export function createPhase(phase: Phase, options: PhaseOptions): PhaseLoop {
  const { state, replicas, exchange, adam, shards, kernels, device, span } = options;
  const vector = phaseVectorOf(phase, state.spec);
  const everyShard = Array.from({ length: shards }, (_, shard) => shard);
  const nodes = exchange && { exchange, phase, expected: shards * PASSES[phase].length };
  const update = device
    ? createDeviceUpdate(
        { length: vector.length, size: state[phase].parameters.length, limit: Math.fround(exactLimit(shards * 2)) },
        device,
        span,
      )
    : createUpdate(vector.length, { kernels, span, nodes });
  const statistics = vector.statistics.map(({ net, ...place }) => ({ net: state[net], ...place }));
  const scale = 1 / shards;
  /**
   * Whether training goes on while the device computes. On several it does not: one that hangs would hold up the streams of the others, which wait for
   * it, where its shards alone are to be computed again. Nor where results are added before the update: this thread waits for that.
   */
  const goesAhead = (device?.isAlone ?? false) && shards * PASSES.discriminator.length <= RESULTS_HELD;
  let startedMs = 0;
  let tensors = 0;
  let gradientBytes = 0;
  let seconds: TakenResult['seconds'][] = [];
  let bad: BadShard[] = [];

  async function gather(jobs: readonly Shard[]): Promise<void> {
    const given = device ? jobs.map((job) => device.order(job, goesAhead)) : jobs;
    const found = await replicas.compute(given, (_, result) => {
      seconds.push(result.seconds);
      if (isOnHost(result.values)) gradientBytes += result.values.byteLength;
      tensors = result.tensors;
      update.add(result);
    });
    bad.push(...found);
  }

  /** Every result has its seconds. */
  const count = () => ({ bad: bad.length, done: seconds.length + bad.length });

  const drop = (): void => {
    update.reset();
    seconds = [];
    gradientBytes = 0;
    bad = [];
  };

  return {
    compute(pass, toJob) {
      // A phase begins with its last pass: those before it are computed beside other phases.
      if (PASSES[phase].at(-1) === pass) startedMs = performance.now();
      const computeAll = (numbers: readonly number[]): Promise<void> =>
        numbers.length === 0 ? Promise.resolve() : gather(numbers.map(toJob));
      const gathered = exchange ? exchange.compute(phase, computeAll) : computeAll(everyShard);
      gathered.catch(() => {});
      return gathered;
    },

    async update(rateFactor) {
      const reduced = await update.allReduce(count);
      const isSkipped = reduced.bad > 0;
      const beforeAdam = performance.now();
      const decayed = { ...adam[phase], learningRate: adam[phase].learningRate * rateFactor };
      const applied = isSkipped ? Number.NaN : update.apply(decayed, state[phase], scale, statistics);
      const { sum } = update;
      const afterAdam = performance.now();
      span?.('adam', beforeAdam, afterAdam);
      const mean = (name: ScalarName): number => (isSkipped ? Number.NaN : (sum[vector.scalars[name]] ?? 0) * scale);
      const started = startedMs;
      const sumMs = update.takeSumMs();
      const parts = { gradientBytes, bad, tensors };
      // Field by field: V8 is slow with a long object that begins with `...`.
      const toRecord = (gradientNorm: number, endedMs: number, shardSeconds: readonly PassSeconds[]): PhaseRecord => ({
        lossReal: mean('lossReal'),
        lossFake: mean('lossFake'),
        outputReal: mean('outputReal'),
        outputFake: mean('outputFake'),
        gradientNorm,
        gradientBytes: parts.gradientBytes,
        seconds: {
          phase: (endedMs - started) / 1000,
          sum: sumMs / 1000,
          reduce: (reduced.reduceMs ?? 0) / 1000,
          adam: (afterAdam - beforeAdam) / 1000,
          shards: shardSeconds,
        },
        bad: parts.bad,
        skipped: isSkipped,
        tensors: parts.tensors,
      });
      const all = Promise.all(seconds);
      const record = (async () => {
        const norm = typeof applied === 'number' ? applied : await applied;
        if (norm === undefined) return undefined;
        const endedMs = typeof applied === 'number' ? afterAdam : performance.now();
        return toRecord(
          norm,
          endedMs,
          (await all).filter((one) => one !== undefined),
        );
      })();
      if (device && !goesAhead) await record;
      else record.catch(() => {}); // its error is thrown where it is awaited
      state[phase].skippedInARow = isSkipped ? state[phase].skippedInARow + 1 : 0;
      drop();
      return { record };
    },

    drop,

    async giveUp(error) {
      if (exchange) {
        exchange.fail(error);
        await update.allReduce(count);
      }
      throw error;
    },
  };
}
