// Which weights of a checkpoint draw: those of training, or their average.
import { GanglionError } from '../../shared/error.ts';
import type { Weights } from '../../shared/evaluation.ts';
import type { Checkpoint } from '../checkpoints/checkpoint.ts';
import { averagedState } from '../training/average.ts';
import type { TrainingState } from '../training/state.ts';

/** A state to draw with, and what its weights are. */
export interface ChosenWeights {
  readonly state: TrainingState;
  readonly weights: Weights;
}

/**
 * @param wanted undefined is the average where there is one
 * @throws GanglionError `usage` when there is none
 */
export function chooseWeights({ state, path }: Checkpoint, wanted: Weights | undefined): ChosenWeights {
  if (wanted === 'ema' && state.average === null) {
    throw new GanglionError('usage', `--weights ema: ${path} has no averaged generator (as by --ema off)`);
  }
  if (wanted === 'raw' || state.average === null) return { state, weights: 'raw' };
  return { state: averagedState(state), weights: 'ema' };
}

/** For people, after the name of a checkpoint: of runs that keep no average there is one kind only. */
export function ofWeights(weights: Weights): string {
  return weights === 'ema' ? ' (averaged weights)' : '';
}
