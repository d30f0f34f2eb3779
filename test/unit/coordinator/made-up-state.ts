// A state whose every value differs, for tests of checkpoints and of the trainer.
import { initialState, NETS, type TrainingState } from '../../../coordinator/training/state.ts';
import { dcgan28 } from '../../../shared/model/spec.ts';
import { fillNormal } from '../../../shared/random.ts';

/** The smallest latent length keeps files small. */
export const LATENT = 1;

/** A state after `step` made-up steps; untrained biases have no moments, as after training. */
export function madeUpState(step = 12, seed = 3): TrainingState {
  const state = initialState(dcgan28(LATENT), seed);
  for (const [part, net] of NETS.entries()) {
    const { adam, statistics, layout } = state[net];
    const address = { seed, stream: 'samples', part } as const;
    fillNormal({ ...address, time: 1 }, adam.m);
    fillNormal({ ...address, time: 2 }, adam.v);
    fillNormal({ ...address, time: 3 }, statistics);
    for (const squares of [
      adam.v,
      ...layout.norms.map(({ offset, channels }) => statistics.subarray(offset + channels, offset + 2 * channels)),
    ]) {
      for (const [i, value] of squares.entries()) squares[i] = Math.abs(value);
    }
    for (const { trained, offset, size } of layout.parameters) {
      if (trained) continue;
      adam.m.fill(0, offset, offset + size);
      adam.v.fill(0, offset, offset + size);
    }
    adam.beta1Power = 0.5 ** step;
    adam.beta2Power = 0.999 ** (step + part);
    state[net].batchesTracked = step * (2 + part);
  }
  state.step = step;
  return state;
}
