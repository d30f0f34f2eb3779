// Programs by kernels of tfjs: the engines `webgpu` (a GPU) and `js` (plain JavaScript).
import * as tf from '@tensorflow/tfjs-core';
import type { Backend } from '../../../shared/backend.ts';
import type { ProgramRunner } from '../program-runner.ts';
import { PortableExecutor } from './portable-executor.ts';

/** The backends that run by tfjs. */
export type TfjsBackend = Extract<Backend, 'webgpu' | 'js'>;

/** Makes it the backend of tfjs in this thread. @returns name of the GPU, where there is one */
async function load(backend: TfjsBackend): Promise<string | undefined> {
  switch (backend) {
    case 'webgpu': {
      const { loadWebgpu } = await import('./webgpu.ts');
      return loadWebgpu();
    }
    case 'js': {
      const { loadJs } = await import('./js.ts');
      await loadJs();
      return undefined;
    }
  }
}

/**
 * Loads a backend of tfjs into this thread; there is one a thread.
 *
 * @throws GanglionError `environment` when it cannot run here
 */
export async function tfjsRunner(backend: TfjsBackend): Promise<ProgramRunner> {
  tf.enableProdMode(); // no hints on the console
  const device = await load(backend);
  return {
    name: `tfjs-${backend}`,
    libraryVersion: tf.version_core,
    device,
    load: (program) => new PortableExecutor(program),
    tensorCount: () => tf.memory().numTensors,
  };
}
