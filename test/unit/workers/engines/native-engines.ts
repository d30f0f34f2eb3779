// The two ways in which native code computes, for tests that hold both: Ganglion's kernels, where this machine has them, and
// libtensorflow.
import type { Backend } from '../../../../shared/backend.ts';
import { createEngine } from '../../../../workers/engines/engines.ts';
import { tensorflowEngine } from '../../../../workers/engines/kernels/native-engine.ts';
import type { Engine } from '../../../../workers/replica/replica.ts';

/** A backend, or libtensorflow where `native` would take the kernels. */
export type EngineName = Backend | 'libtensorflow';

export async function loadEngine(name: EngineName): Promise<Engine> {
  return name === 'libtensorflow' ? tensorflowEngine() : await createEngine(name);
}

export const toBackend = (name: EngineName): Backend => (name === 'libtensorflow' ? 'native' : name);
