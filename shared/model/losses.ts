// Losses from logits, in float64: what is reported. Their gradients are part of the graphs (phases.ts). They ride in the phase vector, so two
// replicas must agree on their bits: exp and log1p are Ganglion's own.
import { exp, log1p } from '../fdlibm.ts';
import type { Pass } from './layout.ts';

/**
 * What D is asked to say of a pass's images: 0 of fakes, and 1 of real ones, as G wants it of its own. With one-sided label smoothing it is
 * less of real ones (Salimans et al. 2016, 3.4).
 *
 * @param realLabel a float32 from 0 to 1
 */
export function labelOf(pass: Pass, realLabel = 1): number {
  if (pass === 'real') return realLabel;
  return pass === 'fake' ? 0 : 1;
}

/**
 * Mean binary cross-entropy of logits against one label, as PyTorch's BCEWithLogitsLoss:
 * max(l, 0) - l * label + log(1 + exp(-|l|)).
 */
export function meanCrossEntropy(logits: Float32Array, label: number): number {
  let sum = 0;
  for (const logit of logits) sum += Math.max(logit, 0) - logit * label + log1p(exp(-Math.abs(logit)));
  return sum / logits.length;
}

/** Mean of sigmoid(logit). */
export function meanProbability(logits: Float32Array): number {
  let sum = 0;
  for (const logit of logits) sum += 1 / (1 + exp(-logit));
  return sum / logits.length;
}
