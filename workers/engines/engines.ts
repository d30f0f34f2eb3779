// From the name of a backend to its engine. Each is loaded only where it is asked for: a machine without libtensorflow never loads
// the add-on, and one that has it never loads tfjs.
import type { Backend } from '../../shared/backend.ts';
import type { Engine } from '../replica/replica.ts';

/**
 * Loads a backend into this thread.
 *
 * @throws GanglionError `environment` when it cannot run here
 */
export async function createEngine(backend: Backend): Promise<Engine> {
  if (backend === 'native') {
    const { nativeEngine } = await import('./kernels/native-engine.ts');
    return nativeEngine();
  }
  const { portableEngine } = await import('./tfjs/portable-engine.ts');
  return portableEngine(backend);
}
