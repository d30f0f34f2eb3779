// libtensorflow as a replica's engine.
import { NativeExecutor } from './graph/native-executor.ts';
import { loadBinding } from './native/binding.ts';
import type { Engine } from './replica.ts';

/**
 * Loads the library into this thread.
 *
 * @throws GanglionError `environment` when it is not set up
 */
export function nativeEngine(): Engine {
  const binding = loadBinding();
  return {
    backend: binding.isUsingGpuDevice() ? 'tensorflow-gpu' : 'tensorflow-cpu',
    libraryVersion: binding.TF_Version,
    load: (program) => new NativeExecutor(binding, program),
    tensorCount: () => binding.getNumOfTensors(),
  };
}
