// The add-on of the CUDA engine (addon.cc), with types. Every call is synchronous and throws an Error that names the driver's function.

/** A device of the driver. */
export interface CudaDevice {
  readonly name: string;
  /** Compute capability, ten times its first digit and its second: 90 for 9.0. */
  readonly capability: number;
  readonly bytes: number;
}

/** A device with its kernels, opened by this thread. */
export interface NativeGpu {
  readonly gpu: unique symbol;
}

/** Launches as a graph, with their memory. */
export interface NativeCudaPlan {
  readonly cudaPlan: unique symbol;
}

/** A launch as the add-on takes it. */
export interface NativeLaunch {
  readonly kernel: string;
  readonly grid: readonly number[];
  readonly threads: number;
  /** A letter an argument: p for a place in the plan's memory, i for an int, f for a float. */
  readonly kinds: string;
  /** Places are in floats from the start of the memory. */
  readonly values: readonly number[];
}

/** A plan as the add-on takes it. */
export interface CudaPlanSource {
  readonly launches: readonly NativeLaunch[];
  /** Place and length of every array of a call, in floats. */
  readonly arrays: readonly (readonly [place: number, length: number])[];
  /** Size of the memory. */
  readonly floats: number;
}

/** Arrays of a call, by their number in the plan. */
export type NumberedArrays = readonly (readonly [number: number, values: Float32Array])[];

export interface CudaBinding {
  /** What the driver in a library offers. @param path `libcuda.so.1`, or that of the emulation */
  devices(path: string): { readonly version: number; readonly devices: readonly CudaDevice[] };
  /** @param image the kernels, compiled for the device */
  openGpu(path: string, ordinal: number, image: Uint8Array): NativeGpu;
  createPlan(gpu: NativeGpu, source: CudaPlanSource): NativeCudaPlan;
  /** Copies `up` to the device, runs the launches, copies `down` back, and waits. */
  run(plan: NativeCudaPlan, up: NumberedArrays, down: NumberedArrays): void;
  /** Gives the memory of a plan back, which cannot be run any more. */
  releasePlan(plan: NativeCudaPlan): void;
}
