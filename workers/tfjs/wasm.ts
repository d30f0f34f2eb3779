// The backend of tfjs in WebAssembly: the binary with SIMD, one thread (tfjs has no more of them in Node.js).
import { createRequire } from 'node:module';
import { dirname, sep } from 'node:path';
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { GanglionError } from '../../shared/error.ts';

/** The paths can be set only once. */
let hasPaths = false;

const EVENTS = ['uncaughtException', 'unhandledRejection'] as const;

/**
 * Removes the listeners that Emscripten's loader adds to the process: they rethrow what nobody has caught, and the report shows their
 * line instead of the error's.
 */
async function withoutListeners<Result>(load: () => Promise<Result>): Promise<Result> {
  const emitter: NodeJS.EventEmitter = process;
  const before = new Set(EVENTS.flatMap((event) => emitter.listeners(event)));
  try {
    return await load();
  } finally {
    for (const event of EVENTS) {
      for (const listener of emitter.listeners(event)) {
        if (!before.has(listener)) emitter.off(event, listener as () => void);
      }
    }
  }
}

/**
 * Makes WebAssembly the backend of tfjs in this thread.
 *
 * @throws GanglionError `environment` when the binary is not there or does not run
 */
export async function loadWasm(): Promise<void> {
  const entry = createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm');
  if (!hasPaths) setWasmPaths(dirname(entry) + sep);
  hasPaths = true;
  const isSet = await withoutListeners(() => tf.setBackend('wasm'));
  if (!isSet)
    throw new GanglionError(
      'environment',
      `the backend wasm does not start: expected tfjs's binary in ${dirname(entry)}`,
    );
}
