// The state: everything a run needs to resume. Parameters lie in shared memory, where replicas in threads read them.

import { initialise } from '../../shared/model/initialise.ts';
import { layoutOf, type Net, type NetLayout } from '../../shared/model/layout.ts';
import type { ModelSpec } from '../../shared/model/spec.ts';
import { type AdamState, adamState } from './adam.ts';
import type { Average } from './average.ts';

export const NETS: readonly Net[] = ['generator', 'discriminator'];
/** Weight of the newest batch in the running statistics, as PyTorch's default. */
export const STATISTICS_MOMENTUM = 0.1;

/** State of one net. */
export interface NetState {
  readonly layout: NetLayout;
  /** Flat, TensorFlow's layout, in a SharedArrayBuffer. */
  readonly parameters: Float32Array;
  readonly adam: AdamState;
  /** Running mean and variance of every BatchNorm layer, in the layout's order. */
  readonly statistics: Float32Array;
  /** Batches that the running statistics have seen, as PyTorch counts them. */
  batchesTracked: number;
  /** Updates of this net skipped in a row, up to the newest step; not part of the state's hash. */
  skippedInARow: number;
}

/** Numbers of a net that are no arrays. */
export type NetCounters = ReturnType<typeof countersOf>;

export function countersOf({ adam: { beta1Power, beta2Power }, batchesTracked, skippedInARow }: NetState) {
  return { beta1Power, beta2Power, batchesTracked, skippedInARow };
}

export function setCounters(net: NetState, { beta1Power, beta2Power, ...counts }: NetCounters): void {
  Object.assign(net.adam, { beta1Power, beta2Power });
  Object.assign(net, counts);
}

export interface TrainingState {
  readonly spec: ModelSpec;
  readonly generator: NetState;
  readonly discriminator: NetState;
  /** Of the generator; null where the run keeps none. Not part of the state's hash. */
  readonly average: Average | null;
  /** Steps done. */
  step: number;
  /**
   * Brings the newest values to these arrays, while they lie on a device (device-state.ts). To be called after a whole step, by who reads them.
   *
   * @throws GanglionError `faults` when the device is lost
   */
  fetch?: () => void;
}

const shared = (length: number): Float32Array =>
  new Float32Array(new SharedArrayBuffer(length * Float32Array.BYTES_PER_ELEMENT));

function netState(net: Net, spec: ModelSpec): NetState {
  const layout = layoutOf(net, spec);
  const statistics = new Float32Array(layout.statisticsCount);
  for (const { offset, channels } of layout.norms) statistics.fill(1, offset + channels, offset + 2 * channels);
  return {
    layout,
    parameters: shared(layout.parameterCount),
    adam: adamState(layout.parameterCount),
    statistics,
    batchesTracked: 0,
    skippedInARow: 0,
  };
}

const emptyAverage = ({ parameterCount, statisticsCount }: NetLayout): Average => ({
  parameters: shared(parameterCount),
  statistics: shared(statisticsCount),
});

/** A state of zeros, to be filled from a checkpoint. @param isAveraged whether it has an averaged generator */
export function emptyState(spec: ModelSpec, isAveraged = false): TrainingState {
  return {
    spec,
    generator: netState('generator', spec),
    discriminator: netState('discriminator', spec),
    average: isAveraged ? emptyAverage(layoutOf('generator', spec)) : null,
    step: 0,
  };
}

/** A state of zeros, all of it in shared memory: another thread gets it without a copy. To be filled by `copyState`. */
export function sharedState(spec: ModelSpec, isAveraged = false): TrainingState {
  const net = (name: Net): NetState => {
    const layout = layoutOf(name, spec);
    return {
      layout,
      parameters: shared(layout.parameterCount),
      adam: { m: shared(layout.parameterCount), v: shared(layout.parameterCount), beta1Power: 1, beta2Power: 1 },
      statistics: shared(layout.statisticsCount),
      batchesTracked: 0,
      skippedInARow: 0,
    };
  };
  const average = isAveraged ? emptyAverage(layoutOf('generator', spec)) : null;
  return { spec, generator: net('generator'), discriminator: net('discriminator'), average, step: 0 };
}

/** Makes `to` equal to `from`, of the same model; allocates nothing. */
export function copyState(from: TrainingState, to: TrainingState): void {
  from.fetch?.();
  for (const net of NETS) {
    const [got, expected] = [from[net].layout.parameterCount, to[net].layout.parameterCount];
    if (got !== expected) throw new Error(`expected a ${net} of ${expected} parameters, got ${got}`);
  }
  for (const net of NETS) {
    const [source, target] = [from[net], to[net]];
    target.parameters.set(source.parameters);
    target.adam.m.set(source.adam.m);
    target.adam.v.set(source.adam.v);
    target.adam.beta1Power = source.adam.beta1Power;
    target.adam.beta2Power = source.adam.beta2Power;
    target.statistics.set(source.statistics);
    target.batchesTracked = source.batchesTracked;
    target.skippedInARow = source.skippedInARow;
  }
  if (from.average && to.average) {
    to.average.parameters.set(from.average.parameters);
    to.average.statistics.set(from.average.statistics);
  }
  to.step = from.step;
}

/** The state before the first step. */
export function initialState(spec: ModelSpec, seed: number, isAveraged = false): TrainingState {
  const state = emptyState(spec, isAveraged);
  for (const net of NETS) initialise(net, spec, seed, state[net].parameters);
  state.average?.parameters.set(state.generator.parameters);
  state.average?.statistics.set(state.generator.statistics);
  return state;
}

/**
 * Moves the running statistics of a net towards those of a batch: running = (1 - 0.1) running + 0.1 batch.
 *
 * @param sum sum over shards of the batch statistics, in the layout's order
 * @param scale factor that makes the sum a mean
 */
export function trackStatistics(state: NetState, sum: Float64Array, scale: number): void {
  for (let i = 0; i < state.statistics.length; i++) {
    const mean = (sum[i] as number) * scale;
    state.statistics[i] = (1 - STATISTICS_MOMENTUM) * (state.statistics[i] as number) + STATISTICS_MOMENTUM * mean;
  }
  state.batchesTracked += 1;
}

/** What the discriminator phase changes, as it was. */
export interface PhaseBackup {
  take(): void;
  restore(): void;
}

/**
 * Remembers what the discriminator phase changes, so that a step which cannot be ended leaves no trace.
 *
 * @returns `take` copies it; `restore` puts it back
 */
export function discriminatorPhaseBackup(state: TrainingState): PhaseBackup {
  const { discriminator: net, generator } = state;
  const arrays = [net.parameters, net.adam.m, net.adam.v, net.statistics, generator.statistics];
  const copies = arrays.map((array) => new Float32Array(array.length));
  const read = () => ({
    beta1Power: net.adam.beta1Power,
    beta2Power: net.adam.beta2Power,
    tracked: net.batchesTracked,
    trackedByG: generator.batchesTracked,
    skippedInARow: net.skippedInARow,
  });
  let numbers = read();
  return {
    take() {
      for (const [i, copy] of copies.entries()) copy.set(arrays[i] as Float32Array);
      numbers = read();
    },
    restore() {
      for (const [i, copy] of copies.entries()) arrays[i]?.set(copy);
      net.adam.beta1Power = numbers.beta1Power;
      net.adam.beta2Power = numbers.beta2Power;
      net.batchesTracked = numbers.tracked;
      generator.batchesTracked = numbers.trackedByG;
      net.skippedInARow = numbers.skippedInARow;
    },
  };
}
