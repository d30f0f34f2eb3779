// Directions of the latent space that change a digit most: those in which the generator's first layer responds most.
// Source: Shen, Zhou, "Closed-Form Factorization of Latent Semantics in GANs" (SeFa), CVPR 2021, https://arxiv.org/abs/2007.06600
import { EigenvalueDecomposition, Matrix } from 'ml-matrix';
import { generatorLayers, type ModelSpec } from '../../shared/model/spec.ts';
import type { NetState } from '../training/state.ts';

export interface Directions {
  /** Orthonormal rows [count, latentSize], the strongest first; the largest component of each is positive. */
  readonly values: Float32Array;
  /** Of the variance that standard normal z causes behind the first layer, the part due to each direction. */
  readonly shares: readonly number[];
}

/**
 * The strongest directions of the first layer, its BatchNorm included: on running statistics both together are one affine map
 * z A + b, and SeFa's directions are the eigenvectors of A A^T.
 *
 * @param most directions at most; there are no more than z is long
 */
export function latentDirections(
  { layout, parameters, statistics }: NetState,
  spec: ModelSpec,
  most: number,
): Directions {
  const parameter = (name: string): Float32Array => {
    const found = layout.parameters.find((candidate) => candidate.name === name);
    if (!found) throw new Error(`the generator has no ${name}`);
    return parameters.subarray(found.offset, found.offset + found.size);
  };
  const [first] = generatorLayers(spec);
  const norm = layout.norms.find(({ name }) => name === first?.normName);
  if (!first || !norm) throw new Error('expected a generator whose first layer has a BatchNorm');
  const { name, channels, offset } = norm;
  const weights = parameter(`${first.name}.weight`); // [latentSize, height * width * channels]
  const gamma = parameter(`${name}.weight`);
  const variance = statistics.subarray(offset + channels, offset + 2 * channels);
  const scale = Array.from(gamma, (value, i) => value / Math.sqrt((variance[i] ?? 0) + spec.epsilon));
  const outputs = weights.length / spec.latentSize;
  const a = new Matrix(spec.latentSize, outputs);
  for (let row = 0; row < spec.latentSize; row++) {
    for (let i = 0; i < outputs; i++) a.set(row, i, (weights[row * outputs + i] ?? 0) * (scale[i % channels] ?? 0));
  }
  return strongest(a, most);
}

/**
 * The directions of x that x A responds to most: the left singular vectors of A, by their singular values.
 *
 * @param a [inputs, outputs]
 * @param most there are no more than inputs, or outputs
 */
export function strongest(a: Matrix, most: number): Directions {
  const { rows: inputs, columns: outputs } = a;
  // The smaller of A A^T and A^T A has the same eigenvalues above zero.
  const isWide = inputs <= outputs;
  const gram = isWide ? a.mmul(a.transpose()) : a.transpose().mmul(a);
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(gram, { assumeSymmetric: true });
  const order = realEigenvalues.map((_, i) => i).sort((i, j) => (realEigenvalues[j] ?? 0) - (realEigenvalues[i] ?? 0));
  const total = realEigenvalues.reduce((sum, value) => sum + value, 0);
  const kept = order.slice(0, most);
  const values = new Float32Array(kept.length * inputs);
  for (const [at, column] of kept.entries()) {
    const vector = eigenvectorMatrix.getColumnVector(column);
    values.set(normalised((isWide ? vector : a.mmul(vector)).to1DArray()), at * inputs);
  }
  return { values, shares: kept.map((column) => (realEigenvalues[column] ?? 0) / total) };
}

/** Of length 1, with the largest component positive: an eigenvector's sign is nobody's choice. */
function normalised(vector: readonly number[]): number[] {
  const largest = vector.reduce((best, value) => (Math.abs(value) > Math.abs(best) ? value : best), 0);
  const length = Math.hypot(...vector) * Math.sign(largest);
  return vector.map((value) => value / length);
}
