// The averaged generator: an exponential moving average of its weights over the steps, which draws better than the newest weights. It is
// never trained on, so the state's hash is the same with and without. Source: Polyak & Juditsky, "Acceleration of Stochastic Approximation
// by Averaging", 1992; for GANs Yazıcı et al., "The Unusual Effectiveness of Averaging in GAN Training", ICLR 2019.
import type { UpdateKernels } from '../../shared/update.ts';
import type { NetState, TrainingState } from './state.ts';

/** Averaged weights of the generator. */
export interface Average {
  /** As the generator's, in a SharedArrayBuffer. */
  readonly parameters: Float32Array;
  /** Of the running statistics. */
  readonly statistics: Float32Array;
}

/**
 * average = keep average + (1 - keep) value, with keep = min(decay, (1 + step) / (10 + step)): a warm-up, in which the average forgets the
 * initial weights. In float64, narrowed; a chain of its own for every value. Called once after every step.
 *
 * @param decay below 1
 * @param move default: JavaScript
 */
export function moveAverage(
  { parameters, statistics }: Average,
  generator: NetState,
  step: number,
  decay: number,
  move: UpdateKernels['moveAverage'] = moveTowards,
): void {
  const keep = keptBy(step, decay);
  move(parameters, generator.parameters, keep);
  move(statistics, generator.statistics, keep);
}

/** The share of the average that is kept at the end of a step. */
export function keptBy(step: number, decay: number): number {
  return Math.min(decay, (1 + step) / (10 + step));
}

/** The average of one array: what compiled kernels are held to. */
export const moveTowards: UpdateKernels['moveAverage'] = (average, values, keep) => {
  if (average.length !== values.length) throw new Error(`average of ${average.length} values, got ${values.length}`);
  const take = 1 - keep;
  for (let i = 0; i < average.length; i++) average[i] = keep * (average[i] as number) + take * (values[i] as number);
};

/** The state with the averaged generator in the generator's place, to draw with; the state itself where it has none. */
export function averagedState(state: TrainingState): TrainingState {
  const { average, generator } = state;
  return average === null ? state : { ...state, generator: { ...generator, ...average } };
}
