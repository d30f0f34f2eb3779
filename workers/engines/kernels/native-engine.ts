// The engine of compiled code: Ganglion's own kernels, and libtensorflow for what they do not compute or where they cannot run.

import type { Engine } from '../../replica/replica.ts';
import { loadBinding, type NativeBinding } from '../tensorflow/binding.ts';
import { NativeExecutor } from '../tensorflow/native-executor.ts';
import { loadKernels } from './binding.ts';
import { kernelExecutor } from './executor.ts';
import { kernelNoise } from './noise.ts';

/** Loads libtensorflow into this thread. */
function loadTensorflow(): NativeBinding {
  const binding = loadBinding();
  // A thread that loads the add-on and ends without ever having made a tensor crashes the process at its end (SIGSEGV; seen
  // with 4.22.0 on TensorFlow 2.21.0, whenever the first program could not be loaded).
  binding.deleteTensor(binding.createTensor([1], binding.TF_FLOAT, new Float32Array(1)));
  return binding;
}

/** libtensorflow as an engine. @throws GanglionError `environment` when it is not set up */
export function tensorflowEngine(): Engine {
  const binding = loadTensorflow();
  return {
    backend: binding.isUsingGpuDevice() ? 'tensorflow-gpu' : 'tensorflow-cpu',
    libraryVersion: binding.TF_Version,
    load: (program) => new NativeExecutor(binding, program),
    tensorCount: () => binding.getNumOfTensors(),
  };
}

/**
 * Loads what computes into this thread. libtensorflow only when there is a program without kernels: it takes a second of a core and
 * 200 MB.
 *
 * @throws GanglionError `environment` when it is not set up
 */
export function nativeEngine(): Engine {
  const kernels = loadKernels();
  if (!kernels) return tensorflowEngine();
  const noise = kernelNoise(kernels.binding);
  let tensorflow: Engine | undefined;
  return {
    backend: `kernels-${kernels.binding.isa}`,
    libraryVersion: kernels.version,
    load: (program) => {
      const executor = kernelExecutor(kernels.binding, program);
      if (executor) return executor;
      tensorflow ??= tensorflowEngine();
      return tensorflow.load(program);
    },
    tensorCount: () => tensorflow?.tensorCount() ?? 0,
    findOutside: (values, limit) => kernels.binding.findOutside(values, limit),
    ...(noise ? { fillNormal: noise } : {}),
  };
}
