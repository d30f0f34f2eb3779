// Kernels of tfjs as a replica's engine: in WebAssembly, on a GPU by WebGPU, or in plain JavaScript.
import * as tf from '@tensorflow/tfjs-core';
import type { Backend } from '../shared/backend.ts';
import { GanglionError } from '../shared/error.ts';
import { COMPOSED_CONVOLUTIONS, STOCK_CONVOLUTIONS } from './graph/convolution-kernels.ts';
import { PortableExecutor } from './graph/portable-executor.ts';
import type { Engine } from './replica.ts';
import { loadWasm } from './tfjs/wasm.ts';

/** The backends that run by tfjs. */
export type PortableBackend = Exclude<Backend, 'native'>;

const LOADERS: Readonly<Record<PortableBackend, () => Promise<void>>> = {
  wasm: loadWasm,
  webgpu: async () => {
    throw new GanglionError('environment', 'WebGPU: there is no adapter');
  },
  cpu: async () => {
    await import('@tensorflow/tfjs-backend-cpu');
    await tf.setBackend('cpu');
  },
};

/**
 * Loads a backend of tfjs into this thread; there is one a thread.
 *
 * @throws GanglionError `environment` when it cannot run here
 */
export async function portableEngine(backend: PortableBackend): Promise<Engine> {
  tf.enableProdMode(); // no hints on the console
  await LOADERS[backend]();
  const convolutions = backend === 'wasm' ? COMPOSED_CONVOLUTIONS : STOCK_CONVOLUTIONS;
  return {
    backend: `tfjs-${backend}`,
    libraryVersion: tf.version_core,
    load: (program) => new PortableExecutor(program, convolutions),
    tensorCount: () => tf.memory().numTensors,
  };
}
