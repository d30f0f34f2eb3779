// Loads the native add-on of tfjs-node from the library folder, and gives it types. The JavaScript half of tfjs-node is not
// used: replicas call the add-on directly. Types after the package's dist/tfjs_binding.d.ts and binding/tfjs_binding.cc.

import { createRequire } from 'node:module';
import { GanglionError, messageOf } from '../../../shared/error.ts';
import { faultOfLibrary, locateLibrary, setupCommand } from './library.ts';

/** Tensor data as the add-on takes and returns it; uint8 carries TF_BOOL and TF_UINT8. */
export type TensorData = Float32Array | Int32Array | Uint8Array;

/** A tensor that the add-on made; it lives until `deleteTensor(id)`. */
export interface TensorInfo {
  readonly id: number;
  readonly shape: number[];
  /** One of the binding's `TF_…` types. */
  readonly dtype: number;
}

/** An attribute of an op; `type` is one of the binding's `TF_ATTR_…` numbers. */
export interface OpAttribute {
  readonly name: string;
  readonly type: number;
  readonly value: boolean | number | string | readonly number[] | readonly boolean[];
}

/** The add-on. Every call is synchronous, and throws an `Error` with TensorFlow's message. */
export interface NativeBinding {
  /**
   * A tensor on `data`'s own memory: on the CPU nothing is copied, so leave `data` alone until the tensor is deleted, and
   * delete it on the thread that made it.
   */
  createTensor(shape: readonly number[], dtype: number, data: TensorData): number;
  deleteTensor(id: number): void;
  /** A copy of the tensor's values. The add-on cannot read TF_UINT8 back (it throws), and returns TF_INT64 as BigInt64Array. */
  tensorDataSync(id: number): TensorData;
  executeOp(
    name: string,
    attributes: readonly OpAttribute[],
    inputIds: readonly number[],
    outputCount: number,
  ): TensorInfo[];
  /** Loads a SavedModel folder; `tags` is comma-separated, usually `serve`. */
  loadSavedModel(folder: string, tags: string): number;
  deleteSavedModel(id: number): void;
  /** Runs a SavedModel; names are comma-separated `op:index`, inputs in the order of `inputIds`. */
  runSavedModel(id: number, inputIds: readonly number[], inputNames: string, outputNames: string): TensorInfo[];
  /** Tensors and SavedModels alive on this thread. */
  getNumOfTensors(): number;
  getNumOfSavedModels(): number;
  isUsingGpuDevice(): boolean;
  readonly TF_Version: string;
  readonly TF_FLOAT: number;
  readonly TF_INT32: number;
  readonly TF_INT64: number;
  readonly TF_UINT8: number;
  readonly TF_BOOL: number;
  readonly TF_COMPLEX64: number;
  readonly TF_STRING: number;
  readonly TF_RESOURCE: number;
  readonly TF_ATTR_STRING: number;
  readonly TF_ATTR_INT: number;
  readonly TF_ATTR_FLOAT: number;
  readonly TF_ATTR_BOOL: number;
  readonly TF_ATTR_TYPE: number;
  readonly TF_ATTR_SHAPE: number;
}

/** Variables that make TensorFlow or oneDNN take other kernels, or other precision, and so give other last bits. */
const FOREIGN = [
  'TF_XLA_FLAGS',
  'XLA_FLAGS',
  'ONEDNN_MAX_CPU_ISA',
  'DNNL_MAX_CPU_ISA',
  'ONEDNN_DEFAULT_FPMATH_MODE',
  'DNNL_DEFAULT_FPMATH_MODE',
  'TF_SET_ONEDNN_FPMATH_MODE',
] as const;

/**
 * Sets the variables that TensorFlow reads when it loads, over the user's where the bits depend on them:
 * - `TF_NUM_INTRAOP_THREADS=1`, always: with more, an op splits its sums over threads. Ganglion scales by replicas;
 * - `TF_ENABLE_ONEDNN_OPTS=1`, always: its kernels are twice as fast, and give other last bits than without;
 * - those that choose kernels or precision are removed;
 * - `TF_DETERMINISTIC_OPS=1`, always: on a GPU no sum in the order in which threads end, and no kernel that was the fastest just now;
 * - `NVIDIA_TF32_OVERRIDE=0`, always: no product on a GPU with 10 bits of mantissa;
 * - `TF_FORCE_GPU_ALLOW_GROWTH=true`, unless set: replicas share a GPU, and the first one would take all its memory;
 * - `TF_NUM_INTEROP_THREADS=-1`, unless set: a replica's call runs on the replica's own thread, and never waits for a pool.
 *   Under V8's profiler (`--cpu-prof`) a pool of 8: its signals interrupt the thread that runs JavaScript, and oneDNN's sgemm
 *   keeps no stack on which a handler could run (seen: "corrupted size vs. prev_size"). The bits are the same;
 * - `TF_CPP_MIN_LOG_LEVEL=3`, unless set: no log lines.
 */
export function setTensorflowEnvironment(env: NodeJS.ProcessEnv, execArgv = process.execArgv): void {
  env.TF_NUM_INTRAOP_THREADS = '1';
  env.TF_ENABLE_ONEDNN_OPTS = '1';
  env.TF_DETERMINISTIC_OPS = '1';
  env.NVIDIA_TF32_OVERRIDE = '0';
  env.TF_FORCE_GPU_ALLOW_GROWTH ??= 'true';
  env.TF_NUM_INTEROP_THREADS ??= execArgv.some((argument) => argument.startsWith('--cpu-prof')) ? '8' : '-1';
  env.TF_CPP_MIN_LOG_LEVEL ??= '3';
  for (const name of FOREIGN) delete env[name];
}

/**
 * The add-on, loaded once a thread. TensorFlow's C++ code reads the environment of the process, and a worker thread's
 * `process.env` is a copy unless the thread was started with `env: SHARE_ENV` (node:worker_threads): start replica
 * threads so, and one after another (the add-on's set of attribute names has no lock).
 *
 * @throws GanglionError `environment` when the library is not set up, or does not load.
 */
export function loadBinding(): NativeBinding {
  const location = locateLibrary();
  const fault = faultOfLibrary(location);
  if (fault !== undefined) {
    const message = `TensorFlow does not load: ${location.libraryFolder} ${fault}; run: ${setupCommand(location)}`;
    throw new GanglionError('environment', message);
  }
  setTensorflowEnvironment(process.env);
  try {
    return createRequire(import.meta.url)(location.addonPath);
  } catch (error) {
    throw new GanglionError(
      'environment',
      `TensorFlow does not load: ${messageOf(error)}; delete ${location.libraryFolder}, then run: ${setupCommand(location)}`,
      { cause: error },
    );
  }
}
