// The parameters at the start of a run: a pure function of the seed.

import { fillNormal, fillUniform } from '../random.ts';
import { layoutOf, type Net } from './layout.ts';
import type { ModelSpec } from './spec.ts';
import { fromTorchLayout } from './torch-layout.ts';

/** Streams of the two nets' tensors lie apart by this; no net has more parameters. */
const TENSORS_A_NET = 64;

/**
 * Fills the flat parameter vector of a net, TensorFlow's layout: convolutions N(0, .02), BatchNorm gamma N(1, .02), beta 0
 * (Radford et al. 2015), biases of D as PyTorch's default, U(-1/sqrt(fan_in), 1/sqrt(fan_in)). Each tensor has a stream of its
 * own and is drawn in PyTorch's layout.
 *
 * @param out float32, `parameterCount` values
 */
export function initialise(net: Net, spec: ModelSpec, seed: number, out: Float32Array): void {
  const first = net === 'generator' ? 0 : TENSORS_A_NET;
  for (const [index, parameter] of layoutOf(net, spec).parameters.entries()) {
    const { initial, offset, size } = parameter;
    const address = { seed, stream: 'initialisation', time: 0, part: first + index } as const;
    const values = new Float32Array(size);
    if (initial.kind === 'normal') {
      fillNormal(address, values);
      for (let i = 0; i < size; i++) values[i] = initial.mean + initial.deviation * (values[i] as number);
    } else if (initial.kind === 'uniform') {
      fillUniform(address, -initial.bound, initial.bound, values);
    }
    fromTorchLayout(parameter, values, out.subarray(offset, offset + size));
  }
}
