// The backend of tfjs in WebAssembly: the binary with SIMD, one thread (tfjs has no more of them in Node.js).
import { createRequire } from 'node:module';
import { dirname, sep } from 'node:path';
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { GanglionError } from '../../../shared/error.ts';
import { describeNoWasmMemory } from '../../../shared/wasm-memory.ts';

const EVENTS = ['uncaughtException', 'unhandledRejection'] as const;

/**
 * Removes the listeners that Emscripten's loader adds to the process: they rethrow uncaught errors, and the report shows their
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

/** Keeps what Emscripten prints about a failure from the terminal: it is in the error's one line. */
async function withoutPrinting<Result>(load: () => Promise<Result>): Promise<Result> {
  const { warn, error } = console;
  console.warn = () => {};
  console.error = () => {};
  try {
    return await load();
  } finally {
    console.warn = warn;
    console.error = error;
  }
}

/** What Emscripten gives a module. */
interface EmscriptenModule {
  _malloc(bytes: number): number;
  _free(address: number): void;
  readonly HEAPU8: Uint8Array;
}

/** Throws when memory is exhausted: tfjs itself would continue, and overwrite the beginning of its memory. */
function guardMemory(): void {
  const { wasm } = tf.backend() as unknown as { readonly wasm: EmscriptenModule };
  wasm._free(wasm._malloc(1)); // the first call puts the real function in the place of a stub
  const { _malloc: allocate } = wasm;
  wasm._malloc = (bytes) => {
    const address = allocate(bytes);
    if (address === 0 && bytes > 0) {
      const gibibytes = (wasm.HEAPU8.length / 2 ** 30).toFixed(1);
      const message = `WebAssembly has no memory left (${gibibytes} GiB): expected fewer images at a time, as by more shards`;
      throw new GanglionError('environment', message);
    }
    return address;
  };
}

/** Its paths can be set only once, and its memory is to be guarded once. */
let isPrepared = false;

/**
 * Makes WebAssembly the backend of tfjs in this thread.
 *
 * @throws GanglionError `environment` when the binary is not there or does not run
 */
export async function loadWasm(): Promise<void> {
  const folder = dirname(createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm'));
  if (!isPrepared) setWasmPaths(folder + sep);
  const isSet = await withoutListeners(() => withoutPrinting(() => tf.setBackend('wasm')));
  if (!isSet) {
    const reason = describeNoWasmMemory() ?? `expected tfjs's binary in ${folder}`;
    throw new GanglionError('environment', `the backend wasm does not start: ${reason}`);
  }
  if (!isPrepared) guardMemory();
  isPrepared = true;
}
