// The Fréchet distance between two sets of feature vectors, each taken as a normal distribution. Source: Heusel et al., "GANs Trained by a
// Two Time-Scale Update Rule Converge to a Local Nash Equilibrium", NeurIPS 2017. Theirs are features of Inception; ours are not.
import { EigenvalueDecomposition, Matrix } from 'ml-matrix';

/** Mean and covariance of feature vectors. */
export interface Moments {
  readonly mean: Float64Array;
  /** [size, size], by n - 1 as in NumPy's `cov`; zeros for one vector. */
  readonly covariance: Float64Array;
}

/** @param features [count, size] */
export function momentsOf(features: Float32Array, size: number): Moments {
  const count = features.length / size;
  const mean = new Float64Array(size);
  for (let i = 0; i < features.length; i++) {
    const column = i % size;
    mean[column] = (mean[column] as number) + (features[i] as number);
  }
  for (let a = 0; a < size; a++) mean[a] = (mean[a] as number) / count;
  const covariance = new Float64Array(size * size);
  const centred = new Float64Array(size);
  for (let i = 0; i < count; i++) {
    for (let a = 0; a < size; a++) centred[a] = (features[i * size + a] as number) - (mean[a] as number);
    for (let a = 0; a < size; a++) {
      const value = centred[a] as number;
      for (let b = a; b < size; b++) {
        const at = a * size + b;
        covariance[at] = (covariance[at] as number) + value * (centred[b] as number);
      }
    }
  }
  for (let a = 0; a < size; a++) {
    for (let b = a; b < size; b++) {
      const value = (covariance[a * size + b] as number) / Math.max(1, count - 1);
      covariance[a * size + b] = value;
      covariance[b * size + a] = value;
    }
  }
  return { mean, covariance };
}

/**
 * d^2 = |mean1 - mean2|^2 + trace(C1 + C2 - 2 (C1 C2)^(1/2)). The trace of the root is the sum of the roots of the eigenvalues of
 * C1^(1/2) C2 C1^(1/2), which is symmetric; what rounding makes negative counts as 0, so that covariances may be singular.
 *
 * @returns d^2, as is usual under this name
 */
export function frechetDistance(one: Moments, other: Moments): number {
  const size = one.mean.length;
  const toMatrix = ({ covariance }: Moments): Matrix => Matrix.from1DArray(size, size, covariance);
  const [first, second] = [toMatrix(one), toMatrix(other)];
  const { eigenvectorMatrix, realEigenvalues } = new EigenvalueDecomposition(first, { assumeSymmetric: true });
  const roots = Matrix.diag(realEigenvalues.map(root));
  const half = eigenvectorMatrix.mmul(roots).mmul(eigenvectorMatrix.transpose());
  const product = half.mmul(second).mmul(half);
  const symmetric = Matrix.add(product, product.transpose()).mul(0.5);
  const eigenvalues = new EigenvalueDecomposition(symmetric, { assumeSymmetric: true }).realEigenvalues;
  const shift = one.mean.reduce((sum, value, i) => sum + (value - (other.mean[i] as number)) ** 2, 0);
  const overlap = eigenvalues.reduce((sum, value) => sum + root(value), 0);
  return Math.max(0, shift + first.trace() + second.trace() - 2 * overlap);
}

const root = (value: number): number => Math.sqrt(Math.max(0, value));
