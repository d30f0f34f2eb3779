// The latent space: noise z of a digit, its coordinates along the directions, and ways between digits.
import { fillNormal } from '../../shared/random.ts';

/** The noise of which `ganglion sample --seed SEED` draws image `image`, counted from 0. */
export function noiseOf(seed: number, image: number, latent: number): Float32Array {
  return fillNormal({ seed, stream: 'samples', time: 0, part: image }, new Float32Array(latent));
}

/** Orthonormal directions [count, latent]. As z is standard normal, so is its coordinate along each. */
export class Directions {
  readonly count: number;
  readonly #rows: readonly Float32Array[];

  constructor(values: Float32Array, latent: number) {
    this.count = values.length / latent;
    this.#rows = Array.from({ length: this.count }, (_, i) => values.subarray(i * latent, (i + 1) * latent));
  }

  /** z's coordinate along a direction. */
  coordinate(z: Float32Array, direction: number): number {
    return dot(this.#row(direction), z);
  }

  /** z moved along one direction to a coordinate; those along the others stay. */
  moved(z: Float32Array, direction: number, coordinate: number): Float32Array {
    const row = this.#row(direction);
    const by = coordinate - dot(row, z);
    return z.map((value, i) => value + by * (row[i] ?? 0));
  }

  #row(direction: number): Float32Array {
    const row = this.#rows[direction];
    if (!row) throw new Error(`expected a direction below ${this.count}, got ${direction}`);
    return row;
  }
}

/**
 * Spherical interpolation from a (t = 0) to b (t = 1): on the way the length stays that of normal noise, which a straight line's does
 * not. Source: Shoemake, SIGGRAPH 1985; for latent spaces White, "Sampling Generative Networks", 2016.
 */
export function slerp(a: Float32Array, b: Float32Array, t: number): Float32Array {
  const cosine = dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
  const angle = Math.acos(Math.min(1, Math.max(-1, cosine)));
  const sine = Math.sin(angle);
  // Of the same or of opposite directions there is no one arc.
  const [fromA, fromB] = sine > 1e-6 ? [Math.sin((1 - t) * angle) / sine, Math.sin(t * angle) / sine] : [1 - t, t];
  return a.map((value, i) => fromA * value + fromB * (b[i] ?? 0));
}

/** The point at `at` of a path: 0 is its first digit, 1 its second. */
export function alongPath(path: readonly Float32Array[], at: number): Float32Array {
  const from = Math.min(Math.max(0, Math.floor(at)), Math.max(0, path.length - 2));
  const [a, b] = [path[from], path[from + 1]];
  if (!a) throw new Error('expected a path of at least one digit');
  return b ? slerp(a, b, at - from) : a;
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] ?? 0) * (b[i] ?? 0);
  return sum;
}
