// Random numbers as a pure function of where they are used: the key is the run's seed, the counter names the stream.
// Counter words: [block within the stream, step or epoch, stream, shard or tensor].
import { cosineAndSine, log } from './fdlibm.ts';
import { type Key, philox } from './philox.ts';

/** What a stream of random numbers is for; two streams never share a counter. */
export type Stream = keyof typeof STREAMS;

/** Number of each stream in the counter. */
export const STREAMS = {
  discriminatorNoise: 1,
  generatorNoise: 2,
  sampler: 3,
  initialisation: 4,
  samples: 5,
} as const;

/** Names one stream: the purpose, and two 32-bit coordinates within it. */
export interface StreamAddress {
  /** 0 to 2^53 - 1. */
  readonly seed: number;
  readonly stream: Stream;
  /** Step or epoch, 0 to 2^32 - 1. */
  readonly time: number;
  /** Shard, tensor or image number, 0 to 2^32 - 1. */
  readonly part: number;
}

/** A seed of up to 53 bits as Philox key. */
export function toKey(seed: number): Key {
  return [(seed % 0x1_0000_0000) >>> 0, Math.floor(seed / 0x1_0000_0000) >>> 0];
}

/** `count` unsigned 32-bit words of a stream. */
export function randomWords(address: StreamAddress, count: number): Uint32Array {
  const words = new Uint32Array(Math.ceil(count / 4) * 4);
  const key = toKey(address.seed);
  const stream = STREAMS[address.stream];
  for (let block = 0; block * 4 < count; block++) {
    philox([block, address.time >>> 0, stream, address.part >>> 0], key, words, block * 4);
  }
  return words.subarray(0, count);
}

/**
 * Standard normal numbers by the Box-Muller transform, two from two words, with the logarithm, cosine and sine of fdlibm.ts.
 *
 * @param words an even number of them
 * @param out filled whole; as long as the words, or one shorter
 * @see Box, Muller, "A Note on the Generation of Random Normal Deviates", 1958
 */
export function toNormal(words: Uint32Array, out: Float32Array | Float64Array): void {
  for (let i = 0; i < words.length; i += 2) {
    const u1 = ((words[i] as number) + 1) * 2 ** -32; // in (0, 1], so that the logarithm is finite
    const u2 = (words[i + 1] as number) * 2 ** -32;
    const radius = Math.sqrt(-2 * log(u1));
    const [cosine, sine] = cosineAndSine(2 * Math.PI * u2);
    out[i] = radius * cosine;
    if (i + 1 < out.length) out[i + 1] = radius * sine;
  }
}

/**
 * Standard normal numbers of a stream, one from each word.
 *
 * @param out filled whole; float32
 */
export function fillNormal(address: StreamAddress, out: Float32Array): Float32Array {
  toNormal(randomWords(address, Math.ceil(out.length / 2) * 2), out);
  return out;
}

/** Uniform numbers of a stream from `low` to below `high`, one from each word; `high` itself only by rounding to float32. */
export function fillUniform(address: StreamAddress, low: number, high: number, out: Float32Array): Float32Array {
  const words = randomWords(address, out.length);
  for (let i = 0; i < out.length; i++) out[i] = low + (high - low) * (words[i] as number) * 2 ** -32;
  return out;
}
