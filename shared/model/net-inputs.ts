// The flat vectors of a net as inputs of programs, which take a tensor a parameter. Nothing is copied.
import type { NetLayout } from './layout.ts';

type Inputs = Record<string, Float32Array>;

/** Views of a net's parameters. */
export function parameterInputs({ net, parameters }: NetLayout, values: Float32Array): Inputs {
  const inputs: Inputs = {};
  for (const { name, offset, size } of parameters) inputs[`${net}/${name}`] = values.subarray(offset, offset + size);
  return inputs;
}

/** Views of a net's running statistics. */
export function statisticsInputs({ norms }: NetLayout, statistics: Float32Array): Inputs {
  const inputs: Inputs = {};
  for (const { name, channels, offset } of norms) {
    inputs[`running/${name}.mean`] = statistics.subarray(offset, offset + channels);
    inputs[`running/${name}.variance`] = statistics.subarray(offset + channels, offset + 2 * channels);
  }
  return inputs;
}
