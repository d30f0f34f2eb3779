// The kernels in WebAssembly, as a module with memory of its own. Two binaries lie beside this file's source, with their hashes; `build` makes them.
import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { checkSum, parseSums } from '../../../shared/checksums.ts';
import { GanglionError, messageOf } from '../../../shared/error.ts';
import { describeNoWasmMemory } from '../../../shared/wasm-memory.ts';
import { isFused, startKernels, WASM_FILES, WASM_IMPORTS, type WasmKernels, type WasmVariant } from './kernels.ts';

/** Node has WebAssembly; its types do not. */
declare const WebAssembly: {
  validate(bytes: Uint8Array): boolean;
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: object };
};

const FOLDER = new URL(import.meta.url.endsWith('.ts') ? './' : '../../../../workers/engines/wasm/', import.meta.url);

/** A module of the kernels, in memory that nobody else has. */
export interface LoadedWasm {
  readonly exports: WasmKernels;
  /** First digits of the binary's SHA-256. */
  readonly version: string;
}

/** @throws GanglionError `environment` when a binary is missing, or not the one that was built */
function readBinary(name: string): { readonly bytes: Uint8Array; readonly version: string } {
  const read = (file: string): Buffer => {
    try {
      return readFileSync(new URL(file, FOLDER));
    } catch (error) {
      throw new GanglionError('environment', `the kernels in WebAssembly cannot be read: ${messageOf(error)}`, {
        cause: error,
      });
    }
  };
  const bytes = read(name);
  const sha256 = checkSum(new URL(name, FOLDER), bytes, parseSums(read('SHA256SUMS')).get(name));
  return { bytes, version: sha256.slice(0, 12) };
}

/**
 * Compiles the kernels and gives them memory.
 *
 * @throws GanglionError `environment` where WebAssembly has no memory, or this variant would give other bits here
 */
export function loadWasm(variant: WasmVariant): LoadedWasm {
  const { bytes, version } = readBinary(WASM_FILES[variant]);
  // Node 20 has relaxed SIMD behind a flag of V8, which later versions do not know.
  if (!WebAssembly.validate(bytes)) setFlagsFromString('--experimental-wasm-relaxed-simd');
  if (!WebAssembly.validate(bytes)) throw unfit('has no relaxed SIMD');
  const exports = instantiate(bytes);
  if (!isFused(exports)) throw unfit('rounds a multiply-add twice');
  return { exports, version };
}

function unfit(reason: string): GanglionError {
  const remedy = 'GANGLION_KERNELS=exact has the same bits, some 24 times slower';
  return new GanglionError(
    'environment',
    `WebAssembly on this machine ${reason}, and would give other bits: ${remedy}`,
  );
}

function instantiate(bytes: Uint8Array): WasmKernels {
  try {
    return startKernels(new WebAssembly.Instance(new WebAssembly.Module(bytes), WASM_IMPORTS).exports);
  } catch (error) {
    const reason = describeNoWasmMemory() ?? messageOf(error);
    throw new GanglionError('environment', `the kernels in WebAssembly do not start: ${reason}`, { cause: error });
  }
}
