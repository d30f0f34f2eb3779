// Reads the golden values and makes the inputs that make_golden.py made them from.
import { readFileSync } from 'node:fs';
import { initialise } from '../../coordinator/initialise.ts';
import { decodeSafetensors, toFloat32 } from '../../coordinator/safetensors.ts';
import { layoutOf } from '../../shared/layout.ts';
import { randomWords } from '../../shared/random.ts';

export const GOLDEN = { seed: 7, latent: 100 } as const;

/** A reader of tensors by name. */
export function readGolden(): (name: string) => Float32Array {
  const path = new URL('./gradients.safetensors', import.meta.url);
  const { tensors } = decodeSafetensors(readFileSync(path), 'gradients.safetensors');
  return (name) => {
    const tensor = tensors.get(name);
    if (!tensor) throw new Error(`no golden tensor ${name}; there are ${[...tensors.keys()].join(', ')}`);
    return toFloat32(tensor);
  };
}

/** The initial parameters of a net. */
export function initialParameters(net: 'generator' | 'discriminator'): Float32Array {
  const out = new Float32Array(new SharedArrayBuffer(layoutOf(net, GOLDEN.latent).parameterCount * 4));
  initialise(net, GOLDEN.latent, GOLDEN.seed, out);
  return out;
}

/** The stand-in images of a step: bytes of a random stream. */
export function goldenPixels(step: number, batch: number): Uint8Array {
  const words = randomWords({ seed: GOLDEN.seed, stream: 'samples', time: step, part: 0 }, batch * 784);
  return Uint8Array.from(words, (word) => word & 0xff);
}
