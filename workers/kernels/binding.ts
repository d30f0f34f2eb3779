// Types of the add-on of Ganglion's own kernels (addon.cc).

/** Steps that have found their kernels. */
export interface NativePlan {
  readonly plan: unique symbol;
}

/** Memory for the values of one run of a plan. */
export interface NativeFrame {
  readonly frame: unique symbol;
}

/** The add-on. Every call is synchronous. */
export interface KernelBinding {
  /** The best instruction set that the processor has of those that kernels are written for. */
  readonly isa: 'avx512' | 'avx2' | 'none';
  /** @returns undefined when a step has no kernel */
  createPlan(isa: string, plan: {
    readonly steps: readonly { kernel: string; buffers: Int32Array; sizes: Int32Array; value: number }[];
    readonly offsets: Int32Array;
    readonly lengths: Int32Array;
    readonly floats: number;
  }): NativePlan | undefined;
  createFrame(plan: NativePlan): NativeFrame;
  /** Runs steps `first` to `last` (exclusive); arrays that these do not use may be undefined. */
  run(frame: NativeFrame, first: number, last: number, arrays: readonly (Float32Array | undefined)[]): void;
  /** As `findOutside` of shared/exact-sum.ts. */
  findOutside(values: Float32Array, limit: number): number;
}
