// The arithmetic by which the coordinator turns results into new parameters: it runs while replicas wait. The JavaScript of
// coordinator/training/update.ts says what it is; compiled kernels (workers/engines/kernels/update.h) give the same bits sooner.

/** What one step of Adam multiplies every parameter's numbers by; symbols of coordinator/training/adam.ts. */
export interface AdamFactors {
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  /** 1 / (1 - beta1^t) */
  readonly unbias1: number;
  /** 1 / (1 - beta2^t) */
  readonly unbias2: number;
  /** Makes the sum of gradients a mean. */
  readonly scale: number;
}

/** Every implementation gives the same bits. All throw when lengths do not fit, before they change anything. */
export interface UpdateKernels {
  /** As `addRounded` of shared/exact-sum.ts; compiled, it passes over memory once. */
  addRounded(sum: Float64Array, values: readonly Float32Array[], isFirst: boolean): void;
  /**
   * As `applyAdam` of coordinator/training/adam.ts; compiled, it passes over memory once, the sum included. Numbers of the sum that have moved a
   * parameter are not to be read after that.
   */
  applyAdam(
    factors: AdamFactors,
    theta: Float32Array,
    m: Float32Array,
    v: Float32Array,
    sum: Float64Array,
    values: readonly Float32Array[],
    isFirst: boolean,
  ): number;
  /** As `moveAverage` of coordinator/training/average.ts, of one array: average = keep average + (1 - keep) values. */
  moveAverage(average: Float32Array, values: Float32Array, keep: number): void;
}
