// Precision and recall of generated images. Source: Kynkäänniemi et al., "Improved Precision and Recall Metric for Assessing Generative
// Models", NeurIPS 2019: the manifold of a set is the union of balls round its feature vectors, each as wide as the distance to its
// third nearest neighbour. Precision: share of drawn vectors in the manifold of the real ones; recall: the other way round.

/** Neighbours that the width of a ball is taken from: the paper's k. */
const NEIGHBOURS = 3;
/** Feature vectors, in order, with the squared width of the ball round each. */
export interface Manifold {
  /** [count, size] */
  readonly vectors: Float64Array;
  readonly size: number;
  readonly squaredRadii: Float64Array;
}

/**
 * Squared distance of vectors a and b, whose length is a multiple of 4; from `limit` on, any number not below it: sums of squares only grow,
 * so most pairs are known to be too far apart after a few values.
 */
function squaredDistance(
  a: Float64Array,
  atA: number,
  b: Float64Array,
  atB: number,
  size: number,
  limit: number,
): number {
  let sum = 0;
  for (let k = 0; k < size && sum < limit; k += 4) {
    const d0 = (a[atA + k] as number) - (b[atB + k] as number);
    const d1 = (a[atA + k + 1] as number) - (b[atB + k + 1] as number);
    const d2 = (a[atA + k + 2] as number) - (b[atB + k + 2] as number);
    const d3 = (a[atA + k + 3] as number) - (b[atB + k + 3] as number);
    sum += d0 * d0 + d1 * d1 + (d2 * d2 + d3 * d3);
  }
  return sum;
}

/** @param features [count, size], of at least two vectors: with few of them the ball reaches the furthest */
export function toManifold(features: Float32Array, size: number): Manifold {
  const vectors = Float64Array.from(features);
  const count = vectors.length / size;
  const squaredRadii = new Float64Array(count);
  const neighbours = Math.min(NEIGHBOURS, count - 1);
  const nearest = new Float64Array(neighbours);
  for (let i = 0; i < count; i++) {
    nearest.fill(Number.POSITIVE_INFINITY);
    let limit = Number.POSITIVE_INFINITY;
    for (let j = 0; j < count; j++) {
      if (j === i) continue;
      const distance = squaredDistance(vectors, i * size, vectors, j * size, size, limit);
      if (distance >= limit) continue;
      let place = neighbours - 1;
      for (; place > 0 && (nearest[place - 1] as number) > distance; place--) {
        nearest[place] = nearest[place - 1] as number;
      }
      nearest[place] = distance;
      limit = nearest[neighbours - 1] as number;
    }
    squaredRadii[i] = limit;
  }
  return { vectors, size, squaredRadii };
}

/** Share of the vectors of `points` that lie in `manifold`, its border included: 0 to 1. */
export function shareInside(points: Manifold, { vectors, size, squaredRadii }: Manifold): number {
  const count = points.vectors.length / size;
  let inside = 0;
  for (let i = 0; i < count; i++) {
    for (let j = 0; j < squaredRadii.length; j++) {
      const radius = squaredRadii[j] as number;
      // The border counts, so the limit lies just beyond it.
      const limit = radius * (1 + Number.EPSILON) + Number.MIN_VALUE;
      if (squaredDistance(points.vectors, i * size, vectors, j * size, size, limit) > radius) continue;
      inside++;
      break;
    }
  }
  return inside / count;
}
