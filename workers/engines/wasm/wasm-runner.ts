// Programs by Ganglion's kernels in WebAssembly: the engine `wasm`, wherever Node runs.
import { readKernelsSetting } from '../kernels/binding.ts';
import { runnerOf } from '../kernels/runner-of.ts';
import type { ProgramRunner } from '../program-runner.ts';
import { WasmBinding } from './binding.ts';
import { loadWasm } from './module.ts';

/**
 * Loads the kernels in WebAssembly into this thread.
 *
 * @throws GanglionError `environment` where they cannot run, or would give other bits
 */
export function wasmRunner(): ProgramRunner {
  const { exports, version } = loadWasm(readKernelsSetting() === 'exact' ? 'exact' : 'fused');
  return { ...runnerOf(new WasmBinding(exports)), libraryVersion: version };
}
