// What runs a plan: the add-on, or the kernels in WebAssembly, in Node and in a page.

/** Instructions that the kernels compute with; `none` on an x86 processor without AVX2 and FMA, where the add-on cannot be used. */
export type Isa = 'avx512' | 'avx2' | 'neon' | 'wasm' | 'none';

/** A plan whose steps have found their kernels; only the binding that made it can use it. */
export type NativePlan = object;

/** Memory for the values of one run of a plan. */
export type NativeFrame = object;

/** A plan as the add-on takes it: workers/engines/kernels/plan.ts. */
export interface PlanSource {
  readonly steps: readonly { kernel: string; buffers: Int32Array; sizes: Int32Array; value: number }[];
  readonly offsets: Int32Array;
  /** Of every array of a call. */
  readonly lengths: Int32Array;
  /** How many of the first arrays are inputs; the others are written. */
  readonly inputs: number;
  /** Size of a frame. */
  readonly floats: number;
}

/** What replicas call: the add-on, or the kernels in WebAssembly. Every call is synchronous. */
export interface PlanBinding {
  /** The widest of this processor, or what it has been limited to. */
  readonly isa: Isa;
  /** @returns undefined when there is no kernel for a step */
  createPlan(plan: PlanSource): NativePlan | undefined;
  createFrame(plan: NativePlan): NativeFrame;
  /** Gives the memory of a frame back, which cannot be run any more. */
  releaseFrame(frame: NativeFrame): void;
  /** Runs steps `first` to `last`, exclusive; arrays that they do not use may be undefined. */
  run(frame: NativeFrame, first: number, last: number, arrays: readonly (Float32Array | undefined)[]): void;
  /** As `findOutside` of shared/exact-sum.ts. */
  findOutside(values: Float32Array, limit: number): number;
  /** As `fillNormal` of shared/random.ts. Every number is 32 bits. */
  fillNormal(key0: number, key1: number, stream: number, time: number, part: number, out: Float32Array): void;
}
