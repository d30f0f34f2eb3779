// The state before the first step: from the seed, or with the weights of another run.
import { GanglionError } from '../../shared/error.ts';
import { dcgan, type ModelChoice } from '../../shared/model/spec.ts';
import type { Checkpoint } from '../checkpoints/checkpoint.ts';
import { openCheckpoint } from '../run-folder/open-checkpoint.ts';
import type { Settings } from '../settings/settings-table.ts';
import { initialState, NETS, type TrainingState } from '../training/state.ts';

/** The settings that decide it. */
type FirstSettings = Pick<Settings, 'latent' | 'seed' | 'ema' | 'from'> & Omit<ModelChoice, 'latentSize'>;

/**
 * @param onNotice receives which weights a run begins with, where they are another's
 * @throws GanglionError `checkpoint` when there is no valid one, `config` when its nets are others
 */
export function firstState(
  { latent, imageSize, channels, width, seed, ema, from }: FirstSettings,
  onNotice: (message: string) => void,
): TrainingState {
  const state = initialState(dcgan({ latentSize: latent, imageSize, channels, width }), seed, ema !== 'off');
  if (from !== null) {
    const checkpoint = openCheckpoint(from, onNotice);
    takeWeights(state, checkpoint);
    const { path, state: source, stateSha256 } = checkpoint;
    const weights = `the weights of step ${source.step} of ${path} (state ${stateSha256.slice(0, 12)})`;
    onNotice(`--from: begins at step 0 with ${weights}, and with a new optimiser`);
  }
  return state;
}

/** Parameters and running statistics of both nets, those of training; the optimiser's moments and all counters stay those of a new state. */
function takeWeights(state: TrainingState, { path, state: source }: Checkpoint): void {
  for (const net of NETS) {
    const [own, theirs] = [state, source].map((one) =>
      one[net].layout.parameters.map(({ name, torchShape }) => `${net}.${name} [${torchShape}]`),
    );
    const [expected = [], got = []] = [own, theirs];
    const at = Array.from({ length: Math.max(expected.length, got.length) }).findIndex(
      (_, i) => expected[i] !== got[i],
    );
    if (at === -1) continue;
    const [what = 'no other parameter', other = 'none'] = [expected[at], got[at]];
    throw new GanglionError('config', `--from ${path}: expected ${what}, got ${other}`);
  }
  for (const net of NETS) {
    state[net].parameters.set(source[net].parameters);
    state[net].statistics.set(source[net].statistics);
  }
  state.average?.parameters.set(source.generator.parameters);
  state.average?.statistics.set(source.generator.statistics);
}
