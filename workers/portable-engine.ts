// Kernels of tfjs as a replica's engine: in WebAssembly, on a GPU by WebGPU, or in plain JavaScript.
import type { Backend } from '../shared/backend.ts';
import { GanglionError } from '../shared/error.ts';
import type { Engine } from './replica.ts';

/** The backends that run by tfjs. */
export type PortableBackend = Exclude<Backend, 'native'>;

/**
 * Loads a backend of tfjs into this thread.
 *
 * @throws GanglionError `environment` when it cannot run here
 */
export async function portableEngine(backend: PortableBackend): Promise<Engine> {
  throw new GanglionError('environment', `the backend ${backend} is not there yet`);
}
