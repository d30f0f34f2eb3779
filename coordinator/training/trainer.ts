// The algorithm. One step: D on real images, D on fake ones, the update of D, G through the new D, the update of G. Shards are added
// exactly, Adam is applied to the mean. Radford et al. 2015 (DCGAN); Goodfellow et al. 2014 (non-saturating loss).
import { GanglionError } from '../../shared/error.ts';
import type { Dataset } from '../data/dataset.ts';
import { describeBadShard } from '../replicas/bad-shard.ts';
import { moveAverage } from './average.ts';
import type { Communicator } from './communicator.ts';
import { type Decay, rateFactor } from './decay.ts';
import { Exchange, type ExchangeOptions } from './exchange.ts';
import { createPhase, type EndedPhase, type PhaseOptions, type PhaseRecord } from './phase.ts';
import { createSampler } from './sampler.ts';
import { discriminatorPhaseBackup, type TrainingState } from './state.ts';

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

export interface TrainerOptions
  extends Omit<PhaseOptions, 'exchange'>,
    Pick<ExchangeOptions, 'tell' | 'onTold' | 'onLost'> {
  readonly communicator: Communicator;
  readonly dataset: Dataset;
  readonly seed: number;
  /** Images a step. */
  readonly batch: number;
  /** Steps done when training ends. */
  readonly totalSteps: number;
  /** How the learning rates fall until then; default: they do not. */
  readonly decay?: Decay;
  /** Updates of a phase in a row that may be skipped. */
  readonly maxSkipped: number;
  /** Decay of the averaged generator, where the state has one. */
  readonly ema?: number;
  /** Training ends after the step in which it becomes true; of several nodes, after the same step, when any has ended a step with it. */
  readonly shouldStop: () => boolean;
  /** Commits a step: log, metrics, samples, checkpoint. Replicas compute meanwhile; the state changes only after it. */
  readonly commit: (record: StepRecord) => Promise<void>;
}

/**
 * Trains until `totalSteps` or a stop, changing `state` in place.
 *
 * @throws GanglionError when shards cannot be computed, or too many updates in a row were skipped; `state` is then as after the
 *   last whole step. `DeviceState.lost` when nothing else has ended it than the loss of a device that holds the state: that is as after an
 *   earlier step whenever such a device is lost
 */
export async function train(options: TrainerOptions): Promise<void> {
  const { device } = options;
  if (!device) return await trainSteps(options);
  device.begin();
  let failure: unknown;
  await trainSteps(options).catch((error: unknown) => {
    failure = error;
  });
  const lost = device.end();
  if (lost && (failure === undefined || isFault(failure))) throw lost; // replicas may fail before the loss is known
  if (failure !== undefined) throw failure;
}

/** Whether replicas, or what they computed, ended the training. */
function isFault(failure: unknown): boolean {
  return failure instanceof GanglionError && (failure.code === 'faults' || failure.code === 'replica');
}

/** A step that has ended for the coordinator. */
type EndedStep = Omit<StepRecord, 'discriminator' | 'generator'> &
  Readonly<Record<'discriminator' | 'generator', EndedPhase>>;

async function trainSteps(options: TrainerOptions): Promise<void> {
  const { state, totalSteps, decay = 'off', shouldStop, ema = 0, device, kernels } = options;
  const passes = createPasses(options);
  const exchange = options.communicator.members.length === 1 ? undefined : new Exchange(options);
  const discriminator = createPhase('discriminator', { ...options, exchange });
  const generator = createPhase('generator', { ...options, exchange });
  const backup = device?.backup() ?? discriminatorPhaseBackup(state);
  /** D on real images. It needs D alone, and so may begin while the generator of the step before is updated. */
  const beginReal = ({ epoch, toJob }: RealImages) => ({ epoch, passed: discriminator.compute('real', toJob) });

  let ended = performance.now();
  let newest: EndedStep | undefined;
  let committed: StepRecord | undefined;
  /**
   * Commits the newest step: the generator does not change until its next update, and replicas compute meanwhile. It waits for a device that is behind.
   *
   * @returns false where a shard of it is bad that the device had on its way: the step is to be computed again
   */
  const commitNewest = async (): Promise<boolean> => {
    if (!newest) return true;
    const { discriminator: updateOfD, generator: updateOfG, ...rest } = newest;
    newest = undefined;
    const [recordOfD, recordOfG] = [await updateOfD.record, await updateOfG.record];
    if (!recordOfD || !recordOfG) return false;
    committed = { ...rest, discriminator: recordOfD, generator: recordOfG };
    const { average } = state;
    if (average && !device) moveAverage(average, state.generator, rest.step, ema, kernels?.moveAverage);
    await options.commit(committed);
    return true;
  };

  /** Goes back to before the newest step, once passes of the one after it have ended. @returns the pass that begins it again */
  const goBack = async (begun: readonly (Promise<void> | undefined)[]): Promise<ReturnType<typeof beginReal>> => {
    const ends = await Promise.allSettled(begun);
    discriminator.drop();
    state.step -= 1;
    device?.undo(state.step, backup);
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
    return beginReal(passes.real(state.step));
  };

  let real = state.step < totalSteps ? beginReal(passes.real(state.step)) : undefined;
  for (;;) {
    const isTooOften = newest !== undefined && skippedInARow(state) > options.maxSkipped;
    if (!real || isTooOften || (exchange ? exchange.isStopAgreed : shouldStop())) {
      await exchange?.finish();
      if (await commitNewest()) break;
      real = await goBack([real?.passed]);
      continue;
    }
    const { step } = state;
    const { epoch, passed } = real;
    const factor = rateFactor(decay, step, totalSteps);

    const fake = discriminator.compute('fake', passes.fake(step));
    await Promise.resolve(); // the shards are on their way before the commit holds this thread
    let next: RealImages | undefined;
    try {
      if (!(await commitNewest())) {
        real = await goBack([passed, fake]);
        continue;
      }
      next = step + 1 < totalSteps ? passes.real(step + 1) : undefined;
      backup.take();
      await Promise.all([passed, fake]);
    } catch (error) {
      await discriminator.giveUp(error);
    }
    const updateOfD = await discriminator.update(factor);

    let updateOfG: EndedPhase;
    try {
      const generated = generator.compute('generator', passes.generator(step));
      real = next && beginReal(next);
      await generated.catch(generator.giveUp);
      updateOfG = await generator.update(factor);
    } catch (error) {
      backup.restore();
      throw error;
    }

    state.step = step + 1;
    device?.moveAverage(state.step, ema);
    device?.noteStep();
    const started = ended;
    ended = performance.now();
    const seconds = (ended - started) / 1000;
    newest = { step: state.step, epoch, seconds, discriminator: updateOfD, generator: updateOfG };
  }
  const skipped = skippedInARow(state);
  if (committed && skipped > options.maxSkipped) throw skippedTooOften(skipped, committed);
}

type RealImages = ReturnType<ReturnType<typeof createPasses>['real']>;

/** The shards of every pass of a step. */
function createPasses({ dataset, seed, batch, shards, span }: TrainerOptions) {
  const imagesOf = createSampler({ seed, count: dataset.count, batch, shards });
  const fromNoise = (pass: 'fake' | 'generator') => (step: number) => (shard: number) => ({ step, pass, shard });
  return {
    real(step: number) {
      const from = performance.now();
      const { epoch, shards: images } = imagesOf(step);
      const pass = 'real' as const;
      const toJob = (shard: number) => ({ step, pass, shard, images: images[shard] ?? new Uint32Array() });
      span?.('data', from, performance.now());
      return { epoch, toJob };
    },
    fake: fromNoise('fake'),
    generator: fromNoise('generator'),
  };
}

function skippedInARow({ discriminator, generator }: TrainingState): number {
  return Math.max(discriminator.skippedInARow, generator.skippedInARow);
}

function skippedTooOften(count: number, { discriminator, generator }: StepRecord): GanglionError {
  const [bad] = [discriminator, generator].flatMap((phase) => phase.bad);
  const newest = bad ? `; the newest: ${describeBadShard(bad)}` : '';
  return new GanglionError('faults', `${count} updates in a row skipped for bad gradients${newest}`);
}
