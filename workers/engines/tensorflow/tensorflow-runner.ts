// Programs by libtensorflow: the engine `tensorflow`, which is set up on request.
import type { ProgramRunner } from '../program-runner.ts';
import { loadBinding } from './binding.ts';
import { TensorflowExecutor } from './executor.ts';

/**
 * Loads libtensorflow into this thread: a second of a core, and 200 MB.
 *
 * @throws GanglionError `environment` when it is not set up
 */
export function tensorflowRunner(): ProgramRunner {
  const binding = loadBinding();
  // A thread that loads the add-on and ends without ever having made a tensor crashes the process at its end (SIGSEGV; seen
  // with 4.22.0 on TensorFlow 2.21.0, whenever the first program could not be loaded).
  binding.deleteTensor(binding.createTensor([1], binding.TF_FLOAT, new Float32Array(1)));
  return {
    name: binding.isUsingGpuDevice() ? 'tensorflow-gpu' : 'tensorflow-cpu',
    libraryVersion: binding.TF_Version,
    load: (program) => new TensorflowExecutor(binding, program),
    tensorCount: () => binding.getNumOfTensors(),
  };
}
