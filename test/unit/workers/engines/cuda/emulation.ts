// The emulated driver, for the tests of a file.
import { beforeAll } from 'vitest';
import { locateCuda } from '../../../../../workers/engines/cuda/library.ts';
import { installCuda } from '../../../../../workers/setup/install-cuda.ts';

/**
 * Compiles it before the tests, and has them use it.
 *
 * @param env what it is told besides, by the ends of its variables' names; those that a test sets are taken back at the end as well
 */
export function useEmulation(env: Readonly<Record<string, string>> = {}): void {
  beforeAll(async () => {
    process.env.GANGLION_CUDA = 'emulated';
    for (const [name, value] of Object.entries(env)) process.env[`GANGLION_CUDA_${name}`] = value;
    await compileEmulation();
    return () => {
      for (const name of Object.keys(process.env)) if (name.startsWith('GANGLION_CUDA')) delete process.env[name];
    };
  }, 240_000);
}

/** @param location default: where this process looks for it */
export async function compileEmulation(location = locateCuda()): Promise<void> {
  const progress = { line() {}, transfer: () => ({ update() {}, stop() {} }) };
  await installCuda(location, { progress, signal: new AbortController().signal, again: true });
}
