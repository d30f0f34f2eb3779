// Reads the golden values and makes the inputs that make_golden.py made them from.
import { readFileSync } from 'node:fs';
import { initialise } from '../../shared/model/initialise.ts';
import { layoutOf } from '../../shared/model/layout.ts';
import { dcgan28 } from '../../shared/model/spec.ts';
import { randomWords } from '../../shared/random.ts';
import { decodeSafetensors, toFloat32 } from '../../shared/safetensors.ts';

const PATH = new URL('./gradients.safetensors', import.meta.url);
const { tensors, metadata } = decodeSafetensors(readFileSync(PATH), 'gradients.safetensors');

/** What the golden values were made from. */
export const GOLDEN: {
  readonly seed: number;
  readonly latent: number;
  /** Images of the gradient test. */
  readonly batch: number;
  /** Step whose noise and images it takes. */
  readonly step: number;
  /** Digests of the inputs, as make_golden.py names them. */
  readonly sha256: Readonly<Record<string, string>>;
} = JSON.parse(metadata.golden ?? '{}');

/** A reader of tensors by name. */
export function readGolden(): (name: string) => Float32Array {
  return (name) => {
    const tensor = tensors.get(name);
    if (!tensor) throw new Error(`no golden tensor ${name}; there are ${[...tensors.keys()].join(', ')}`);
    return toFloat32(tensor);
  };
}

/** The initial parameters of a net. */
export function initialParameters(net: 'generator' | 'discriminator'): Float32Array {
  const out = new Float32Array(new SharedArrayBuffer(layoutOf(net, dcgan28(GOLDEN.latent)).parameterCount * 4));
  initialise(net, dcgan28(GOLDEN.latent), GOLDEN.seed, out);
  return out;
}

/** The stand-in images of a step: bytes of a random stream. */
export function goldenPixels(step: number, batch: number): Uint8Array {
  const words = randomWords({ seed: GOLDEN.seed, stream: 'samples', time: step, part: 0 }, batch * 784);
  return Uint8Array.from(words, (word) => word & 0xff);
}

const STRIDE = 7919;

/** The real digits of a step of the trajectory: those of the npm package, spread over all classes. */
export function goldenDigits(images: Uint8Array, step: number, batch: number): Uint8Array {
  const count = images.length / 784;
  const out = new Uint8Array(batch * 784);
  for (let row = 0; row < batch; row++) {
    const image = ((step * batch + row) * STRIDE) % count;
    out.set(images.subarray(image * 784, (image + 1) * 784), row * 784);
  }
  return out;
}
