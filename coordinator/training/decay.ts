// How the learning rates fall over a run: a pure function of the step, so a resumed run goes on with it. Source of the cosine: Loshchilov &
// Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", ICLR 2017, without restarts.
import { cosineAndSine } from '../../shared/fdlibm.ts';
import type { Settings } from '../settings/settings-table.ts';

export type Decay = Settings['lrDecay'];

/**
 * What the learning rate of a step is multiplied by: 1 at the first step, and what would be 0 after the last. `linear` is 1 - t / T, as
 * PyTorch's LinearLR from 1 to 0; `cosine` is (1 + cos(pi t / T)) / 2, as its CosineAnnealingLR.
 *
 * @param step t, steps done before this one, below `totalSteps`
 * @param totalSteps T
 */
export function rateFactor(decay: Decay, step: number, totalSteps: number): number {
  if (decay === 'off') return 1;
  const done = step / totalSteps;
  if (decay === 'linear') return 1 - done;
  const [cosine] = cosineAndSine(Math.PI * done);
  return 0.5 * (1 + cosine);
}
