// From images to figures: how good drawn images are beside real ones.

import type { Figures, Nearest, RealImages } from '../../shared/evaluation.ts';
import { sizeOf } from '../../shared/model/shape.ts';
import type { ImageShape } from '../../shared/model/spec.ts';
import { viewsOf } from '../../shared/pixels.ts';
import { type Classifier, FEATURES } from './classifier.ts';
import { frechetDistance, momentsOf } from './frechet.ts';
import { shareInside, toManifold } from './manifold.ts';
import { nearestDistance } from './nearest.ts';
import { toJudged } from './reduce.ts';
import { type Reference, sharesOf } from './reference.ts';

/** Drawn images, and real ones, whose nearest training images are looked for. */
const NEAREST = 64;

/**
 * @param images drawn ones, uint8 of `shape` each, at least 2
 * @returns all figures but those of the nearest training images
 */
export function toFigures(
  classifier: Classifier,
  images: readonly Uint8Array[],
  shape: ImageShape,
  { moments, manifold, shares, floor, floorCount }: Reference,
): Figures {
  const count = images.length;
  const judged = classifier.judge(images.map((image) => toJudged(image, shape)));
  // Precision and recall depend on the sizes of both sets, which are the same where there are enough real images.
  const compared = Math.min(count, manifold.squaredRadii.length);
  const drawn = toManifold(judged.features.subarray(0, compared * FEATURES), FEATURES);
  const drawnShares = sharesOf(judged.classes);
  return {
    count,
    frechetDistance: frechetDistance(momentsOf(judged.features, FEATURES), moments),
    ...{ floor, floorCount },
    precision: shareInside(drawn, manifold),
    recall: shareInside(manifold, drawn),
    classShares: shares && [...drawnShares],
    realShares: shares && [...shares],
    totalVariation: shares && totalVariation(drawnShares, shares),
    confidence: shares && judged.confidences.reduce((sum, one) => sum + one, 0) / count,
    nearest: null,
  };
}

/** Half the sum of absolute differences of two distributions: 0 where they are equal, 1 where they share nothing. */
export function totalVariation(one: Float64Array, other: Float64Array): number {
  return one.reduce((sum, share, i) => sum + Math.abs(share - (other[i] as number)), 0) / 2;
}

/** @param images drawn ones */
export function toNearest(images: readonly Uint8Array[], real: RealImages): Nearest {
  const { training, reference, isTrainedOn, shape } = real;
  const size = sizeOf(shape);
  const drawn = images.slice(0, NEAREST).map((image) => nearestDistance(image, training));
  const indices = reference.indices.subarray(0, NEAREST);
  const others = viewsOf(reference.images, indices, size).map((image, i) =>
    nearestDistance(image, training, isTrainedOn ? indices[i] : undefined),
  );
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  return { drawn: mean(drawn), least: Math.min(...drawn), real: mean(others) };
}
