// The algorithm. One step: the discriminator phase, then the generator phase; in each the shards' vectors are added exactly
// and Adam is applied to the mean. Radford et al. 2015 (DCGAN); Goodfellow et al. 2014 (non-saturating loss).

import { GanglionError } from '../../shared/error.ts';
import { PASSES, type Pass, type Phase, phaseOf } from '../../shared/model/layout.ts';
import { type PhaseVector, phaseVectorOf, type ScalarName } from '../../shared/model/phase-vector.ts';
import type { Update } from '../../shared/update.ts';
import type { Dataset } from '../data/dataset.ts';
import { RESULTS_HELD, type Shard, type ShardResult } from '../replicas/replica.ts';
import { type BadShard, describeBadShard } from '../replicas/task-queue.ts';
import { type AdamOptions, adamStep } from './adam.ts';
import type { Communicator } from './communicator.ts';
import { createSampler } from './sampler.ts';
import { discriminatorPhaseBackup, type TrainingState, trackStatistics } from './state.ts';
import { javascriptUpdate } from './update.ts';

/** What the trainer needs of the replicas. */
export interface ShardComputer {
  /** Computes every shard once, those of earlier calls first; any number of calls may be under way. */
  compute(shards: readonly Shard[], accept: (shard: Shard, result: ShardResult) => void): Promise<readonly BadShard[]>;
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
  /** Bytes of results that the replicas handed over. */
  readonly gradientBytes: number;
  /**
   * Seconds: from handing out the shards to the update; exact sum; Adam, with the results that it adds to the sum in its own pass over
   * memory; and the parts of every pass of every shard.
   */
  readonly seconds: {
    readonly phase: number;
    readonly sum: number;
    readonly adam: number;
    readonly shards: readonly ShardResult['seconds'][];
  };
  /** Shards of this node that have a value which is not finite or too large. */
  readonly bad: readonly BadShard[];
  /** Whether the update was left out, because any node has such a shard: parameters, moments and statistics are as before. */
  readonly skipped: boolean;
  /** Tensors alive in the replica that answered last. */
  readonly tensors: number;
}

/** What the coordinator does in a step beside waiting and handling messages. */
export type CoordinatorPart = 'data' | 'sum' | 'adam' | 'commit';

/** What happened in one step. */
export interface StepRecord {
  /** Steps done, so 1 after the first. */
  readonly step: number;
  /** Epoch of the step's images, from 0. */
  readonly epoch: number;
  /** From the end of the step before to the end of this one. */
  readonly seconds: number;
  readonly discriminator: PhaseRecord;
  readonly generator: PhaseRecord;
}

export interface TrainerOptions {
  readonly state: TrainingState;
  readonly dataset: Dataset;
  readonly replicas: ShardComputer;
  readonly communicator: Communicator;
  readonly adam: AdamOptions;
  /** JavaScript unless given; the bits do not depend on it. */
  readonly update?: Update | undefined;
  readonly seed: number;
  readonly batch: number;
  readonly shards: number;
  /** Steps done when training ends. */
  readonly lastStep: number;
  /** Updates of a phase in a row that may be skipped. */
  readonly maxSkipped: number;
  /** Asked before every step; training ends after the step in which it becomes true. */
  readonly shouldStop: () => boolean;
  /** The step's commit: log, metrics, samples, checkpoint. Replicas compute meanwhile; the state changes only after it. */
  readonly commit: (record: StepRecord) => Promise<void>;
  /** Told when each part was done, in milliseconds of `performance.now()`. */
  readonly span?: ((part: CoordinatorPart, fromMs: number, toMs: number) => void) | undefined;
}

/**
 * Trains until `lastStep` or a stop, changing `state` in place.
 *
 * @throws GanglionError when shards cannot be computed, or too many updates in a row were skipped; `state` is then as after the
 *   last whole step
 */
export async function train(options: TrainerOptions): Promise<void> {
  const { state, dataset, communicator, seed, batch, shards, lastStep, shouldStop, commit, span } = options;
  const imagesOf = createSampler({ seed, count: dataset.count, batch, shards });
  const own = Array.from({ length: shards }, (_, shard) => shard).filter(
    (shard) => shard % communicator.size === communicator.rank,
  );
  const phases = createPhases(options);

  /** What fails is thrown where it is awaited; training may end before. */
  const compute = (jobs: readonly Shard[]): Promise<void> => {
    const computed = phases.compute(jobs);
    computed.catch(() => {});
    return computed;
  };
  /** The shards of a step's real images; undefined after the last step. */
  const chooseReal = (step: number) => {
    if (step >= lastStep) return undefined;
    const from = performance.now();
    const { epoch, shards: images } = imagesOf(step);
    const jobs = own.map(
      (shard) => ({ step, pass: 'real', shard, images: images[shard] ?? new Uint32Array() }) as const,
    );
    span?.('data', from, performance.now());
    return { epoch, jobs };
  };
  /** D on real images. It needs D alone, and so may begin while the generator of the step before is updated. */
  const beginReal = (chosen: ReturnType<typeof chooseReal>) =>
    chosen && { epoch: chosen.epoch, passed: compute(chosen.jobs) };
  const begin = (step: number, pass: Pass) => compute(own.map((shard) => ({ step, pass, shard })));

  const backup = discriminatorPhaseBackup(state);
  let ended = performance.now();
  let uncommitted: StepRecord | undefined;
  let real = beginReal(chooseReal(state.step));
  while (real && !shouldStop()) {
    const { step } = state;
    const { epoch, passed } = real;

    const fake = begin(step, 'fake');
    await Promise.resolve(); // the shards are on their way before the commit holds this thread
    if (uncommitted) await commit(uncommitted);
    const next = chooseReal(step + 1);
    backup.take();
    await Promise.all([passed, fake]);
    const discriminator = await phases.update('discriminator');

    let generator: PhaseRecord;
    try {
      const generated = begin(step, 'generator');
      real = beginReal(next);
      await generated;
      generator = await phases.update('generator');
    } catch (error) {
      backup.restore();
      throw error;
    }

    state.step = step + 1;
    const started = ended;
    ended = performance.now();
    uncommitted = { step: state.step, epoch, seconds: (ended - started) / 1000, discriminator, generator };
    if (phases.mostSkipped > options.maxSkipped) break;
  }
  if (uncommitted) await commit(uncommitted);
  if (phases.mostSkipped > options.maxSkipped) throw skippedTooOften(phases.mostSkipped, uncommitted);
}

/** What a phase has gathered so far. */
interface Gathered {
  readonly vector: PhaseVector;
  /** The sum of the phase's vectors, and how many bad shards there are: nodes add that up, too. */
  readonly sum: Float64Array;
  /** Whether nothing has been added yet: `sum` is then as the phase before left it. */
  isEmpty: boolean;
  /** Results that are not in the sum yet: several at once are added in one pass over memory. */
  held: ShardResult[];
  startedMs: number;
  sumMs: number;
  tensors: number;
  seconds: ShardResult['seconds'][];
  bad: BadShard[];
  /** Updates skipped in a row. */
  skipped: number;
}

/** After an update a phase is gathered anew. */
function reset(phase: Gathered): void {
  phase.isEmpty = true;
  phase.held = [];
  phase.sumMs = 0;
  phase.seconds = [];
  phase.bad = [];
}

/** Both phases: compute shards and add them exactly; then apply Adam and move the running statistics. */
function createPhases(options: TrainerOptions) {
  const { state, replicas, communicator, adam, update = javascriptUpdate, shards, span } = options;
  const gather = (phase: Phase): Gathered => {
    const vector = phaseVectorOf(phase, state.spec);
    const sum = new Float64Array(vector.length + 1);
    const nothing = { isEmpty: true, held: [], startedMs: 0, sumMs: 0, seconds: [], bad: [] };
    return { vector, sum, ...nothing, tensors: 0, skipped: 0 };
  };
  const vectorSumOf = ({ sum, vector }: Gathered): Float64Array => sum.subarray(0, vector.length);
  /** Adds what is held. */
  const add = (phase: Gathered): void => {
    const from = performance.now();
    const held = phase.held.splice(0);
    if (held.length > 0) {
      const values = held.map((result) => result.values);
      update.addRounded(vectorSumOf(phase), values, phase.isEmpty);
    } else if (phase.isEmpty) phase.sum.fill(0);
    phase.isEmpty = false;
    for (const { release } of held) release();
    const to = performance.now();
    phase.sumMs += to - from;
    span?.('sum', from, to);
  };
  const gathered = { discriminator: gather('discriminator'), generator: gather('generator') };
  const scale = 1 / shards;

  return {
    /** Computes one pass of the shards and adds what they give to their phase. */
    async compute(jobs: readonly Shard[]): Promise<void> {
      const [first] = jobs;
      if (!first) return;
      const phase = gathered[phaseOf(first.pass)];
      // A phase begins with its last pass: those before it are computed beside other phases.
      if (PASSES[phaseOf(first.pass)].at(-1) === first.pass) phase.startedMs = performance.now();
      const bad = await replicas.compute(jobs, (_, result) => {
        if (phase.held.length === RESULTS_HELD) add(phase);
        phase.held.push(result);
        phase.seconds.push(result.seconds);
        phase.tensors = result.tensors;
      });
      phase.bad.push(...bad);
    },

    /** Ends a phase, all of whose shards have been computed. */
    async update(phase: Phase): Promise<PhaseRecord> {
      const own = gathered[phase];
      const { vector, sum, startedMs, tensors, seconds, bad, skipped } = own;
      // What one node holds is added in Adam's pass over memory; other nodes need the sum before.
      const isAddedByAdam = communicator.size === 1 && bad.length === 0 && own.held.length > 0;
      if (!isAddedByAdam) add(own);
      sum[vector.length] = bad.length;
      await communicator.allReduceSum(sum);
      const isSkipped = sum[vector.length] !== 0;
      const beforeAdam = performance.now();
      let gradientNorm = Number.NaN;
      if (isSkipped) sum.fill(Number.NaN);
      else {
        const net = state[phase];
        gradientNorm = adamStep(adam, net.adam, net.parameters, vectorSumOf(own), scale, {
          apply: update.applyAdam,
          values: own.held.map((result) => result.values),
          isFirst: own.isEmpty,
        });
        for (const { release } of own.held) release();
        for (const slice of vector.statistics) {
          trackStatistics(state[slice.net], sum.subarray(slice.offset, slice.offset + slice.size), scale);
        }
      }
      const afterAdam = performance.now();
      span?.('adam', beforeAdam, afterAdam);
      // Field by field: V8 is slow with a long object that begins with `...`.
      const mean = (name: ScalarName): number => (sum[vector.scalars[name]] ?? 0) * scale;
      const record = {
        lossReal: mean('lossReal'),
        lossFake: mean('lossFake'),
        outputReal: mean('outputReal'),
        outputFake: mean('outputFake'),
        gradientNorm,
        gradientBytes: seconds.length * vector.length * Float32Array.BYTES_PER_ELEMENT,
        seconds: {
          phase: (afterAdam - startedMs) / 1000,
          sum: own.sumMs / 1000,
          adam: (afterAdam - beforeAdam) / 1000,
          shards: seconds,
        },
        bad,
        skipped: isSkipped,
        tensors,
      };
      own.skipped = isSkipped ? skipped + 1 : 0;
      reset(own);
      return record;
    },

    /** Updates of a phase skipped in a row, of the phase that has more. */
    get mostSkipped(): number {
      return Math.max(gathered.discriminator.skipped, gathered.generator.skipped);
    },
  };
}

function skippedTooOften(count: number, record: StepRecord | undefined): GanglionError {
  const [bad] = [record?.discriminator, record?.generator].flatMap((phase) => phase?.bad ?? []);
  const newest = bad ? `; the newest: ${describeBadShard(bad)}` : '';
  return new GanglionError('faults', `${count} updates in a row skipped for bad gradients${newest}`);
}
