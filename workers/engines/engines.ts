// From the name of a backend to its engine. Each is loaded only where it is asked for.
import type { Backend } from '../../shared/backend.ts';
import type { Engine } from './engine.ts';
import { ProgramEngine } from './program-engine.ts';
import type { ProgramRunner } from './program-runner.ts';

/**
 * Loads a backend into this thread.
 *
 * @param replica number of the replica that it is for: where there are several GPUs, replicas take them in turn
 * @throws GanglionError `environment` when it cannot run here
 */
export async function createEngine(backend: Backend, replica = 0): Promise<Engine> {
  if (backend !== 'cuda') return new ProgramEngine(await loadRunner(backend, replica));
  const [{ CudaEngine }, { cudaRunner }] = await Promise.all([
    import('./cuda/cuda-engine.ts'),
    import('./cuda/cuda-runner.ts'),
  ]);
  return new CudaEngine(cudaRunner(replica));
}

/**
 * Loads what runs programs on a backend into this thread: all backends do.
 *
 * @throws GanglionError `environment` when it cannot run here
 */
export async function loadRunner(backend: Backend, replica = 0): Promise<ProgramRunner> {
  switch (backend) {
    case 'cpu': {
      const { kernelRunner } = await import('./kernels/kernel-runner.ts');
      return kernelRunner();
    }
    case 'cuda': {
      const { cudaRunner } = await import('./cuda/cuda-runner.ts');
      return cudaRunner(replica);
    }
    case 'tensorflow': {
      const { tensorflowRunner } = await import('./tensorflow/tensorflow-runner.ts');
      return tensorflowRunner();
    }
    case 'wasm':
    case 'webgpu':
    case 'js': {
      const { tfjsRunner } = await import('./tfjs/tfjs-runner.ts');
      return tfjsRunner(backend);
    }
  }
}
