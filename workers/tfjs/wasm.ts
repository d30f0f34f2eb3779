// The backend of tfjs in WebAssembly: the binary with SIMD, one thread (tfjs has no more of them in Node.js).
import { createRequire } from 'node:module';
import { dirname, sep } from 'node:path';
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { GanglionError, messageOf } from '../../shared/error.ts';

/**
 * Makes WebAssembly the backend of tfjs in this thread.
 *
 * @throws GanglionError `environment` when the binary is not there or does not run
 */
export async function loadWasm(): Promise<void> {
  const entry = createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm');
  setWasmPaths(dirname(entry) + sep);
  try {
    await tf.setBackend('wasm');
  } catch (error) {
    throw new GanglionError('environment', `WebAssembly does not run: ${messageOf(error)}`, { cause: error });
  }
}
