// Programs by libtensorflow: the engine `tensorflow`, which is set up on request.
import { GanglionError } from '../../../shared/error.ts';
import type { ProgramRunner } from '../program-runner.ts';
import { loadBinding, type NativeBinding } from './binding.ts';
import { TensorflowExecutor } from './executor.ts';

/**
 * Loads libtensorflow into this thread: a second of a core, and 200 MB.
 *
 * @param gpu number of the GPU that the process was given; undefined computes on what there is
 * @throws GanglionError `environment` when it is not set up, or cannot use the GPU
 */
export function tensorflowRunner(gpu?: number, binding: NativeBinding = loadBinding()): ProgramRunner {
  // A thread that loads the add-on and ends without ever having made a tensor crashes the process at its end (SIGSEGV; seen
  // with 4.22.0 on TensorFlow 2.21.0, whenever the first program could not be loaded).
  binding.deleteTensor(binding.createTensor([1], binding.TF_FLOAT, new Float32Array(1)));
  if (gpu !== undefined && !binding.isUsingGpuDevice()) {
    const message = `TensorFlow cannot use tensorflow:${gpu}; TF_CPP_MIN_LOG_LEVEL=0 lets it say why, an empty CUDA_VISIBLE_DEVICES computes on the CPU`;
    throw new GanglionError('environment', message);
  }
  return {
    name: binding.isUsingGpuDevice() ? 'tensorflow-gpu' : 'tensorflow-cpu',
    libraryVersion: binding.TF_Version,
    load: (program) => new TensorflowExecutor(binding, program),
    tensorCount: () => binding.getNumOfTensors(),
  };
}
