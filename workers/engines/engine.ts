// What a replica computes with. An engine holds the parameters of both nets, computes passes of shards into phase vectors, and draws images.
// Engines that run programs share one implementation (program-engine.ts); a GPU engine that keeps its state on the device has its own.
import type { DevicePlace, Numbers } from '../../shared/device-memory.ts';
import type { Net, Pass } from '../../shared/model/layout.ts';
import type { ModelSpec } from '../../shared/model/spec.ts';
import type { PassSeconds, SampleJob } from '../../shared/protocol.ts';

/** What an engine must know before it computes. Fixed for the life of a replica. */
export interface EngineSetup {
  readonly spec: ModelSpec;
  /** Images of a shard. */
  readonly shardSize: number;
  /** Of the run: the noise of a shard is a function of seed, step, pass and shard. */
  readonly seed: number;
  /** Shards of a pass, over all replicas. */
  readonly shards: number;
  /** What D is asked to say of real images; 1 where it is left out. */
  readonly realLabel?: number | undefined;
  /** Where all images lie in the memory of the engine's device; shards name theirs by numbers then. */
  readonly imagesAt?: number | undefined;
  /** Number of the GPU that the coordinator's parameters and results lie on, where they do; default: the engine's own. */
  readonly vectorsOn?: number | undefined;
  /** Magnitude that no value of a phase vector may reach (shared/exact-sum.ts). */
  readonly limit: number;
}

/** One shard of a pass. */
export interface ShardInput {
  readonly shard: number;
  /** uint8 pixels, [shardSize, values of an image], of a pass over real images, in parts that follow each other. */
  readonly pixels?: readonly Uint8Array[];
  /** In place of pixels: the numbers of the images that lie on the device. */
  readonly images?: Uint32Array;
  /** As long as the phase vector, which is written here. On a device where the coordinator keeps its state there. */
  readonly into: Numbers;
}

/** A value that the exact sum cannot take. */
export interface OutOfRange {
  /** Which value it is, such as `gradient/main.0.weight[17]`. */
  readonly name: string;
  readonly value: number;
}

/** What became of one shard. Where a value is out of range, `into` is worthless. */
export type ShardResult =
  | { readonly ok: true; readonly seconds: PassSeconds }
  | { readonly ok: false; readonly outOfRange: OutOfRange };

/** A pass under way. */
export interface PendingPass {
  /** Waits for it. To be called once, in the order in which passes were begun. @returns the results in the order of the shards */
  finish(): Promise<readonly ShardResult[]>;
}

/** Computes for one replica. Calls come one at a time. */
export interface Engine {
  /** What computes, such as `kernels-avx512`. */
  readonly name: string;
  readonly libraryVersion: string;
  /** Number of the arithmetic of docs/arithmetic.md, where the engine follows it. */
  readonly arithmetic?: number | undefined;
  /** Name of the GPU, where there is a choice. */
  readonly device?: string | undefined;
  /** Compiles every pass and runs it once, so that nothing is compiled for the first time beside another replica. Called once. */
  prepare(setup: EngineSetup): Promise<void>;
  /**
   * Sets the parameters of a net for the calls that follow.
   *
   * @param version names the values: an engine that has copied this version need not copy it again. Undefined when it is not known
   * @param values in the layout's order; borrowed until the next call for the net, and unchanged while a call uses them
   * @param mark what comes before it on the device must have been done before they are read there
   */
  setParameters(net: Net, version: number | undefined, values: Numbers, mark?: number): void;
  /**
   * Computes a pass of one or several shards.
   *
   * @param step number of steps done before this one
   * @returns the results in the order of `shards`
   */
  computePass(pass: Pass, step: number, shards: readonly ShardInput[]): Promise<readonly ShardResult[]>;
  /** Shards that are computed at once, known when the engine is prepared; 1 where absent. */
  readonly together?: number | undefined;
  /**
   * Begins a pass of at most {@link together} shards, where an engine computes beside this thread. Another one may be begun, and parameters set
   * for it, before the first is waited for.
   *
   * @param onBegun told the mark behind which results on the device are there, once it is set
   */
  beginPass?(pass: Pass, step: number, shards: readonly ShardInput[], onBegun?: (mark: number) => void): PendingPass;
  /**
   * Computes what a generator pass needs G alone for. The pass gives the same bits with and without; what is never used is dropped with
   * its step. Undefined where the engine has nothing to precompute.
   *
   * @returns false when there is nothing to precompute, or it has been precomputed
   */
  precompute?(step: number, shard: number): Promise<boolean>;
  /** Draws images [count, values of an image] in [-1, 1]; image i depends on (seed, i) only, unless the statistics are the batch's own. */
  sample(job: SampleJob): Promise<Float32Array>;
  /** Changes a vector on the engine's device, for the tests of a cluster; absent where there is none. */
  edit?(vector: DevicePlace, change: (values: Float32Array) => void): void;
  /** Tensors alive in the engine's library. */
  tensorCount(): number;
  /** Frees everything that {@link prepare} and later calls have made. */
  dispose(): void;
}
