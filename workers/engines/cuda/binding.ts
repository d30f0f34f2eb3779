// The add-on of the CUDA engine (addon.cc), with types. Every call throws an Error that names the driver's function. What is asked of a stream is
// done later, in order; `synchronise` waits for it.
import type { GpuFigures } from '../../../shared/gpu-figures.ts';

/** A device of the driver. */
export interface CudaDevice {
  readonly name: string;
  /** Compute capability, ten times its first digit and its second: 90 for 9.0. */
  readonly capability: number;
  readonly bytes: number;
  /** Where it is plugged in, by which other libraries of NVIDIA know it: `0000:01:00.0`. */
  readonly busId: string;
}

/** NVIDIA's management library. */
export interface NativeMonitor {
  readonly monitor: unique symbol;
}

/** A device, opened by this thread; with its kernels, but as a peer. */
export interface NativeGpu {
  readonly gpu: unique symbol;
}

/** Memory of a device. */
export interface NativeMemory {
  readonly memory: unique symbol;
}

/** Work in its order, beside that of other streams. */
export interface NativeStream {
  readonly stream: unique symbol;
}

/** A place in a stream. */
export interface NativeMark {
  readonly mark: unique symbol;
}

/** Whether a device has done what it had to do when it was asked. */
export interface NativeQuestion {
  readonly question: unique symbol;
}

/** Launches that one call submits. */
export interface NativeGraph {
  readonly graph: unique symbol;
}

/** Where something lies in the memory of a device, in bytes; below 2^53. All threads of a process may use it. */
export type Address = number;

/** A launch as the add-on takes it. */
export interface NativeLaunch {
  readonly kernel: string;
  readonly grid: readonly number[];
  readonly threads: number;
  /** A letter an argument: p for an address, i for an int, f for a float, d for a double. */
  readonly kinds: string;
  readonly values: readonly number[];
}

/** A launch of a graph. */
export interface GraphLaunch extends NativeLaunch {
  /** Numbers of earlier launches that it must wait for. */
  readonly after: readonly number[];
}

export interface CudaBinding {
  /**
   * What the driver in a library offers.
   *
   * @param path `libcuda.so.1`, or that of the emulation
   * @param waitMs how long it is waited for
   * @throws Error also when it has not answered by then
   */
  devices(path: string, waitMs: number): { readonly version: number; readonly devices: readonly CudaDevice[] };
  /** @param path `libnvidia-ml.so.1`, or the emulation */
  openMonitor(path: string): NativeMonitor;
  /** What a device is doing; what it does not say is absent. */
  figures(monitor: NativeMonitor, busId: string): Omit<GpuFigures, 'gpu'>;
  /**
   * @param image the kernels, compiled for the device
   * @param waitMs what calls wait for the device at most; after that every call of the process about the device throws at once
   */
  openGpu(path: string, ordinal: number, image: Uint8Array, waitMs: number): NativeGpu;
  /** Another GPU, without kernels, that memory is copied from and to: directly, where the two reach each other, else by the driver through the host. */
  openPeer(gpu: NativeGpu, ordinal: number): NativeGpu;
  /** Whether a GPU has not done in time what a thread of the process waited for: what has been asked of it may still be done. */
  isStuck(gpu: NativeGpu): boolean;
  /** How many blocks a GPU computes side by side, at least. */
  multiprocessors(gpu: NativeGpu): number;
  /** Memory of the device that no program has, in bytes. */
  freeBytes(gpu: NativeGpu): number;
  /** Bytes that {@link write}, {@link read} and {@link copyBetween} have copied, in all threads of the process. */
  copied(): { readonly toDevice: number; readonly toHost: number; readonly between: number };
  allocate(gpu: NativeGpu, bytes: number): NativeMemory;
  addressOf(memory: NativeMemory): Address;
  /** Gives memory back, once the device does nothing with it any more; keeps it where that does not come. */
  release(memory: NativeMemory): void;
  /** Memory of the host that the device copies from and to by itself, all zero. */
  allocateHost(gpu: NativeGpu, bytes: number): ArrayBuffer;
  createStream(gpu: NativeGpu): NativeStream;
  createGraph(gpu: NativeGpu, launches: readonly GraphLaunch[]): NativeGraph;
  runGraph(graph: NativeGraph, stream: NativeStream): void;
  runKernel(stream: NativeStream, launch: NativeLaunch): void;
  /** Copies an array to the device. One that is not of `allocateHost` is read before this returns, which may wait for the stream, without a limit. */
  write(stream: NativeStream, to: Address, from: NodeJS.TypedArray): void;
  /** Copies from the device into an array; one that is not of `allocateHost` is filled when this returns: it waits for the stream, without a limit. */
  read(stream: NativeStream, from: Address, into: NodeJS.TypedArray): void;
  /** Copies within the device. */
  copy(stream: NativeStream, to: Address, from: Address, bytes: number): void;
  /** Copies between two devices, one of which is the stream's. */
  copyBetween(
    stream: NativeStream,
    to: Address,
    toGpu: NativeGpu,
    from: Address,
    fromGpu: NativeGpu,
    bytes: number,
  ): void;
  /** What comes in a stream waits for what there is in another. */
  follow(stream: NativeStream, other: NativeStream): void;
  /** Whether nothing in a stream is left to do. @throws Error when the device has not done it in time */
  isDone(stream: NativeStream): boolean;
  createMark(gpu: NativeGpu): NativeMark;
  /** By which all threads of a process may wait for a mark, also when it is set anew. */
  handleOf(mark: NativeMark): number;
  /** Sets a mark behind what there is in a stream. */
  setMark(mark: NativeMark, stream: NativeStream): void;
  /** What comes in a stream waits for the place that a mark has now, of this or another GPU. */
  waitFor(stream: NativeStream, handle: number): void;
  /** Whether everything before a mark is done; it is where the mark was never set. @throws Error when the device has not done it in time */
  isReached(mark: NativeMark): boolean;
  /** Waits for what there is in a stream. @throws Error when the device has not done it in time */
  synchronise(stream: NativeStream): void;
  ask(gpu: NativeGpu): NativeQuestion;
  /**
   * Waits for nothing, and makes no call of the driver while another thread is in one that it was in when the question was asked.
   *
   * @throws Error when the device has not done it in time
   */
  isAnswered(question: NativeQuestion): boolean;
  /** Ends the process at once, without a look at its threads. */
  exitNow(code: number): never;
}
