// Normal noise by the kernels: `fillNormal` of shared/random.ts, with its bits.
import { type fillNormal, STREAMS, toKey } from '../../../shared/random.ts';
import type { PlanBinding } from './plan-binding.ts';

/** `fillNormal` of shared/random.ts by the kernels. */
export function kernelNoise(kernels: Pick<PlanBinding, 'fillNormal'>): typeof fillNormal {
  return ({ seed, stream, time, part }, out) => {
    const [key0, key1] = toKey(seed);
    kernels.fillNormal(key0, key1, STREAMS[stream], time, part, out);
    return out;
  };
}
