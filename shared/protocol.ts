// All messages between coordinator and replica. A replica computes shards and draws samples; it keeps no state between calls
// but the parameters, which it shares with the coordinator.
import type { Backend } from './backend.ts';
import type { AfterUpdate, Numbers } from './device-memory.ts';
import type { PlainError } from './error.ts';
import type { InjectedFault } from './fault.ts';
import { type Pass, type Phase, phaseOf } from './model/layout.ts';
import type { ModelSpec } from './model/spec.ts';

/** What a replica is told once, when it starts. */
export interface ReplicaSetup {
  readonly replica: number;
  readonly backend: Backend;
  /** Which GPU, where the backend has a choice; the first where it is left out. */
  readonly gpu?: number | undefined;
  /** Images a shard. */
  readonly shardSize: number;
  readonly spec: ModelSpec;
  readonly seed: number;
  /** Number of shards that are added up in a phase: bounds the magnitude of a value. */
  readonly shards: number;
  /** What D is asked to say of real images, a float32; 1 where it is left out. */
  readonly realLabel?: number | undefined;
  /** Where all images lie, in the memory of the replica's device. */
  readonly imagesAt?: number | undefined;
  /** Number of the GPU that parameters and results lie on, where they do; default: the replica's own. */
  readonly vectorsOn?: number | undefined;
  /** Parameters of both nets in TensorFlow's layout; the coordinator rewrites them between phases. */
  readonly parameters: Readonly<Record<Phase, Numbers>>;
  /** Slots for the results of each pass: one can be read while another is written. All zero at first. */
  readonly results: Readonly<Record<Pass, readonly Numbers[]>>;
}

/** A setup whose parameters and results lie on the host, and images. */
export interface HostSetup extends ReplicaSetup {
  readonly parameters: Readonly<Record<Phase, Float32Array>>;
  readonly results: Readonly<Record<Pass, readonly Float32Array[]>>;
}

/** The replica is ready: it has run every program once. */
export interface ReplicaReady {
  /** What computes: `kernels-avx512`, `kernels-avx2`, `cuda-sm_90`, `tensorflow-cpu`, `tensorflow-gpu`, `kernels-wasm`, `tfjs-webgpu` or `tfjs-cpu`. */
  readonly engine: string;
  readonly libraryVersion: string;
  /** Number of the arithmetic of docs/arithmetic.md, where the engine follows it: all such engines have the same bits. */
  readonly arithmetic?: number;
  /** Name of the GPU that WebGPU computes on. */
  readonly device?: string;
  readonly threadId: number;
  readonly pid: number;
  /** Shards of a pass that it computes at once, at most `MOST_TOGETHER`; 1 where absent. */
  readonly together?: number;
}

export type StartOutcome =
  | { readonly ok: true; readonly ready: ReplicaReady }
  | { readonly ok: false; readonly error: PlainError };

/** One pass of one shard, as it is asked for over both transports. */
export interface ShardRequest {
  /** Steps done before this one. */
  readonly step: number;
  readonly pass: Pass;
  readonly shard: number;
  /** The fault to inject, in tests of a cluster. */
  readonly fault?: InjectedFault | undefined;
}

/** What a shard is told besides, where parameters and results lie on a device. */
export interface DeviceOrder {
  /** What comes before it there. */
  readonly after?: AfterUpdate | undefined;
  /** Whether the coordinator goes on once the shard has been begun, where the replica can tell: see {@link ShardBegun}. */
  readonly ahead?: boolean | undefined;
}

/** One pass of one shard, as a replica computes it. */
export interface ShardJob extends ShardRequest, DeviceOrder {
  /** uint8 pixels, [shardSize, values of an image], of a pass over real images, in parts that follow each other. */
  readonly pixels?: readonly Uint8Array[];
  /** In place of pixels: the numbers of the images, where these lie on the replica's device. */
  readonly images?: Uint32Array;
  /** Which of the pass's result slots to write. */
  readonly slot: number;
}

/** Names step, phase, pass and shard. */
export function describeShard({ step, pass, shard }: Pick<ShardRequest, 'step' | 'pass' | 'shard'>): string {
  const images = pass === 'generator' ? '' : ` on ${pass} images`;
  return `step ${step}, ${phaseOf(pass)} phase${images}, shard ${shard}`;
}

/** The parts of a pass of a shard, in seconds: noise or pixels, the native call, and the vector; and when the first one began. */
export interface PassSeconds {
  /** Since 1970, on the clock of all threads and processes of the machine. */
  readonly start: number;
  readonly prepare: number;
  readonly compute: number;
  readonly copy: number;
  /** What the replica precomputed for the shard while it was idle: when that began, and how long it took. Not part of `compute`. */
  readonly precompute?: { readonly start: number; readonly seconds: number };
}

/** How a shard's computation ended; on success the slot holds its phase vector, every value below the exact sum's limit. */
export type ShardOutcome =
  | {
      readonly ok: true;
      readonly step: number;
      readonly pass: Pass;
      readonly shard: number;
      readonly seconds: PassSeconds;
      /** Tensors alive in the library after the call; grows only by a leak. */
      readonly tensors: number;
    }
  | { readonly ok: false; readonly error: PlainError };

/** A shard is on its way: behind a mark of the device its phase vector lies in the slot. Its {@link ShardOutcome} follows. */
export interface ShardBegun {
  readonly pass: Pass;
  readonly slot: number;
  readonly mark: number;
}

/** Draw images. */
export interface SampleJob {
  readonly seed: number;
  readonly count: number;
  /** Running statistics of the generator in the layout's order, or those of the batch itself. */
  readonly statistics: Float32Array | 'batch';
  /** Of the generator, in place of those that the replica has; with running statistics only. */
  readonly parameters?: Float32Array | undefined;
}

/** Images [count, values of an image] in [-1, 1]. */
export type SampleOutcome =
  | { readonly ok: true; readonly images: Float32Array }
  | { readonly ok: false; readonly error: PlainError };

/** What a worker offers over its transport. */
export interface ReplicaService {
  start(setup: ReplicaSetup): Promise<StartOutcome>;
  compute(job: ShardJob): Promise<ShardOutcome>;
  sample(job: SampleJob): Promise<SampleOutcome>;
  /** Frees what the library holds; the worker may end after that. */
  stop(): Promise<void>;
}
