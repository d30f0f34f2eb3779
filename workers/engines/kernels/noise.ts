// Normal noise by the kernels. They have the logarithm, cosine and sine that V8 has had so far, and V8 may take others one day: noise must
// have the same bits in every process of a run, so each process that has the kernels first compares them with its own JavaScript.

import { type fillNormal, STREAMS, toKey, toNormal } from '../../../shared/random.ts';
import type { KernelBinding } from './binding.ts';

type NoiseKernels = Pick<KernelBinding, 'fillNormal' | 'toNormal'>;

const SPREAD = 700;

/** Pairs of words, all over their range and beside those at which fdlibm changes its way. */
function probeWords(): Uint32Array {
  const words: number[] = [];
  for (let eighth = 0; eighth < 8; eighth++) {
    for (const beside of [-2, -1, 0, 1]) words.push(eighth * 2 ** 29 + beside);
  }
  for (let bit = 0; bit < 32; bit++) words.push(2 ** bit, Math.floor(Math.SQRT1_2 * 2 ** bit));
  for (let i = 0; i < SPREAD; i++) words.push(Math.imul(i, 0x9e3779b1));
  return Uint32Array.from([...words, ...words], (_, i) => words[i % 2 === 0 ? i / 2 : words.length - (i + 1) / 2] ?? 0);
}

/** Whether the kernels give the bits of this process's JavaScript, in float64, so that every difference of a function shows. */
function haveBitsOfJavaScript(kernels: NoiseKernels): boolean {
  const words = probeWords();
  const expected = new Float64Array(words.length);
  const got = new Float64Array(words.length);
  toNormal(words, expected);
  kernels.toNormal(words, got);
  return Buffer.from(got.buffer).equals(Buffer.from(expected.buffer));
}

/** `fillNormal` of shared/random.ts by the kernels; undefined where this process's JavaScript gives other bits than they. */
export function kernelNoise(kernels: NoiseKernels): typeof fillNormal | undefined {
  if (!haveBitsOfJavaScript(kernels)) return undefined;
  return ({ seed, stream, time, part }, out) => {
    const [key0, key1] = toKey(seed);
    kernels.fillNormal(key0, key1, STREAMS[stream], time, part, out);
    return out;
  };
}
