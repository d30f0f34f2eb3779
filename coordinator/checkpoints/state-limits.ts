// What no training can come to, whatever its hash says: a checkpoint with such numbers was not written by one, and is not used.
import { averagedState } from '../training/average.ts';
import { NETS, type NetState, type TrainingState } from '../training/state.ts';

/** More than a run comes to in years. */
const MOST_STEPS = 2 ** 40;
/** Batches of a step that the running statistics of a net see: see phase-vector.ts. */
const BATCHES_A_STEP = { generator: 2, discriminator: 3 } as const;

/** The first number of a state that cannot be, as `tensor x holds NaN, expected ...`; undefined for a state that can. */
export function describeImpossible(state: TrainingState): string | undefined {
  const { step } = state;
  const counters = [{ name: 'counters.step', value: step, most: MOST_STEPS }];
  for (const net of NETS) {
    const { batchesTracked, skippedInARow } = state[net];
    counters.push({ name: `${net}'s num_batches_tracked`, value: batchesTracked, most: BATCHES_A_STEP[net] * step });
    counters.push({ name: `${net}'s skipped updates`, value: skippedInARow, most: step });
  }
  for (const { name, value, most } of counters) {
    if (!Number.isSafeInteger(value) || value < 0 || value > most) {
      return `expected ${name} from 0 to ${most}, got ${value}`;
    }
  }
  for (const net of NETS) {
    const impossible = impossibleOf(state[net], net);
    if (impossible !== undefined) return impossible;
  }
  return state.average ? impossibleOf(averagedState(state).generator, 'generator_ema') : undefined;
}

/** @param net what it is called in the message */
function impossibleOf({ layout, parameters, adam, statistics }: NetState, net: string): string | undefined {
  for (const [name, power] of [
    ['beta1_power', adam.beta1Power],
    ['beta2_power', adam.beta2Power],
  ] as const) {
    if (!(power >= 0 && power <= 1)) return `tensor adam.${name}.${net}: expected a number from 0 to 1, got ${power}`;
  }
  for (const { name, offset, size } of layout.parameters) {
    const range = [offset, offset + size] as const;
    const impossible =
      find(`${net}.${name}`, parameters.subarray(...range)) ??
      find(`adam.m.${net}.${name}`, adam.m.subarray(...range)) ??
      find(`adam.v.${net}.${name}`, adam.v.subarray(...range), 0);
    if (impossible !== undefined) return impossible;
  }
  for (const { name, channels, offset } of layout.norms) {
    const impossible =
      find(`${net}.${name}.running_mean`, statistics.subarray(offset, offset + channels)) ??
      find(`${net}.${name}.running_var`, statistics.subarray(offset + channels, offset + 2 * channels), 0);
    if (impossible !== undefined) return impossible;
  }
  return undefined;
}

function find(name: string, values: Float32Array, least = Number.NEGATIVE_INFINITY): string | undefined {
  const value = values.find((one) => !Number.isFinite(one) || one < least);
  if (value === undefined) return undefined;
  const expected = least === 0 ? 'finite numbers of at least 0' : 'finite numbers';
  return `tensor ${name}: expected ${expected}, got ${value}`;
}
