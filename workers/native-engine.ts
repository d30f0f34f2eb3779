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
  // A thread that loads the add-on and ends without ever having made a tensor crashes the process at its end (SIGSEGV; seen
  // with 4.22.0 on TensorFlow 2.21.0, whenever the first program could not be loaded).
  binding.deleteTensor(binding.createTensor([1], binding.TF_FLOAT, new Float32Array(1)));
  return {
    backend: binding.isUsingGpuDevice() ? 'tensorflow-gpu' : 'tensorflow-cpu',
    libraryVersion: binding.TF_Version,
    load: (program) => new NativeExecutor(binding, program),
    tensorCount: () => binding.getNumOfTensors(),
  };
}
