// From the name of a backend to its engine. Each is loaded only where it is asked for.
import type { Backend } from '../../shared/backend.ts';
import type { Engine } from './engine.ts';
import { ProgramEngine } from './program-engine.ts';
import type { ProgramRunner } from './program-runner.ts';

/**
 * Loads a backend into this thread.
 *
 * @param gpu number of the GPU, where the backend has a choice; default: the first that it can use
 * @throws GanglionError `environment` when it cannot run here
 */
export async function createEngine(backend: Backend, gpu?: number): Promise<Engine> {
  if (backend !== 'cuda') return new ProgramEngine(await loadRunner(backend, gpu));
  const [{ CudaEngine }, { cudaRunner }] = await Promise.all([
    import('./cuda/cuda-engine.ts'),
    import('./cuda/cuda-runner.ts'),
  ]);
  return new CudaEngine(cudaRunner(gpu));
}

/**
 * Loads what runs programs on a backend into this thread: all backends do.
 *
 * @throws GanglionError `environment` when it cannot run here
 */
export async function loadRunner(backend: Backend, gpu?: number): Promise<ProgramRunner> {
  switch (backend) {
    case 'cpu': {
      const { kernelRunner } = await import('./kernels/kernel-runner.ts');
      return kernelRunner();
    }
    case 'cuda': {
      const { cudaRunner } = await import('./cuda/cuda-runner.ts');
      return cudaRunner(gpu);
    }
    case 'tensorflow': {
      const { tensorflowRunner } = await import('./tensorflow/tensorflow-runner.ts');
      return tensorflowRunner(gpu);
    }
    case 'wasm': {
      const { wasmRunner } = await import('./wasm/wasm-runner.ts');
      return wasmRunner();
    }
    case 'webgpu':
    case 'js': {
      const { tfjsRunner } = await import('./tfjs/tfjs-runner.ts');
      return tfjsRunner(backend);
    }
  }
}
