// Adam as a pure function of its arguments. Source: Kingma & Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015,
// algorithm 1, with the paper's symbols. Arithmetic in float64, state in float32 (as PyTorch's), so the bits are the same everywhere.

import { addRounded } from '../../shared/exact-sum.ts';
import type { AdamFactors, UpdateKernels } from '../../shared/update.ts';

/** Hyperparameters: step size, decay of both moments, and the denominator's guard. */
export interface AdamOptions {
  /** alpha in the paper. */
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
}

/** What Adam remembers of one net. The powers beta^t are state, so that a resumed run computes what the first one would. */
export interface AdamState {
  readonly m: Float32Array;
  readonly v: Float32Array;
  /** beta1^t; 1 before the first step. */
  beta1Power: number;
  /** beta2^t; 1 before the first step. */
  beta2Power: number;
}

/** The state before the first step. */
export function adamState(parameterCount: number): AdamState {
  return { m: new Float32Array(parameterCount), v: new Float32Array(parameterCount), beta1Power: 1, beta2Power: 1 };
}

/** What {@link adamStep} may be given besides. */
export interface AdamStepOptions {
  /** Computes the step; gives the bits of {@link applyAdam}. */
  readonly apply?: UpdateKernels['applyAdam'];
  /** Arrays that are added to the sum before: see {@link addRounded}. */
  readonly values?: readonly Float32Array[];
  /** Whether they are added onto zeros. */
  readonly isFirst?: boolean;
}

/**
 * One step, in place:
 * m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2;
 * theta = theta - alpha * (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon).
 *
 * @param theta parameters, updated
 * @param sum sum of the gradients of all shards; may be longer than `theta`. What has moved a parameter is not to be read after that
 * @param scale factor that makes the sum a mean
 * @returns L2 norm of the mean gradient
 */
export function adamStep(
  options: AdamOptions,
  state: AdamState,
  theta: Float32Array,
  sum: Float64Array,
  scale: number,
  { apply = applyAdam, values = [], isFirst = false }: AdamStepOptions = {},
): number {
  const { factors, powers } = nextFactors(options, state, scale);
  const norm = apply(factors, theta, state.m, state.v, sum, values, isFirst);
  Object.assign(state, powers);
  return norm;
}

/** What the next step multiplies by, and the powers of beta that hold after it. */
export function nextFactors(
  options: AdamOptions,
  state: AdamState,
  scale: number,
): { readonly factors: AdamFactors; readonly powers: Pick<AdamState, 'beta1Power' | 'beta2Power'> } {
  const beta1Power = state.beta1Power * options.beta1;
  const beta2Power = state.beta2Power * options.beta2;
  const factors = { ...options, unbias1: 1 / (1 - beta1Power), unbias2: 1 / (1 - beta2Power), scale };
  return { factors, powers: { beta1Power, beta2Power } };
}

/** Partial sums of the squared norm in each block of parameters; blocks are added in order. A GPU computes all blocks at once. */
const LANES = 8;
const BLOCK = 4096;

/**
 * What {@link adamStep} does to every parameter, in JavaScript, after the sum has become that of {@link addRounded}: all of it, also
 * what is longer than `theta`.
 *
 * @throws RangeError when lengths do not fit, before anything changes
 */
export const applyAdam: UpdateKernels['applyAdam'] = (factors, theta, m, v, sum, values, isFirst) => {
  if (m.length !== theta.length || v.length !== theta.length || sum.length < theta.length) {
    const got = `${m.length} and ${v.length} moments, a sum of ${sum.length}`;
    throw new RangeError(`Adam: expected moments and a sum of ${theta.length} parameters, got ${got}`);
  }
  addRounded(sum, values, isFirst);
  const { learningRate, beta1, beta2, epsilon, unbias1, unbias2, scale } = factors;
  const squares = new Float64Array(LANES);
  let norm = 0;
  const addBlock = (): void => {
    norm += squares.reduce((total, partial) => total + partial);
    squares.fill(0);
  };
  for (let i = 0; i < theta.length; i++) {
    if (i > 0 && i % BLOCK === 0) addBlock();
    const g = (sum[i] as number) * scale;
    const lane = i % LANES;
    squares[lane] = (squares[lane] as number) + g * g;
    const mean = beta1 * (m[i] as number) + (1 - beta1) * g;
    const square = beta2 * (v[i] as number) + (1 - beta2) * g * g;
    m[i] = mean;
    v[i] = square;
    theta[i] = (theta[i] as number) - (learningRate * (mean * unbias1)) / (Math.sqrt(square * unbias2) + epsilon);
  }
  addBlock();
  return Math.sqrt(norm);
};
