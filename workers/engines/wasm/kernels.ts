// The kernels in WebAssembly as an instance gives them, in Node (module.ts) and in a page (dashboards/explorer).

/** What wasm.cc exports. Addresses are offsets in the memory; 0 is none. */
export interface WasmKernels {
  readonly memory: { readonly buffer: ArrayBuffer };
  _initialize(): void;
  allocate(bytes: number): number;
  release(address: number): void;
  createStep(
    name: number,
    buffers: number,
    buffersCount: number,
    sizes: number,
    sizesCount: number,
    value: number,
  ): number;
  runSteps(steps: number, count: number, buffers: number): void;
  findOutside(values: number, size: number, limit: number): number;
  fillNormal(key0: number, key1: number, stream: number, time: number, part: number, out: number, size: number): void;
  multiplyAdd(a: number, b: number, c: number): number;
}

/** `fused` is fast, and needs an engine that rounds a relaxed multiply-add once; `exact` has the same bits everywhere. */
export type WasmVariant = 'fused' | 'exact';

/** File of each variant. */
export const WASM_FILES: Readonly<Record<WasmVariant, string>> = {
  fused: 'kernels.wasm',
  exact: 'kernels-exact.wasm',
};

const none = (): never => {
  throw new Error('the kernels call no system');
};

/** What an instance imports: a system whose calls are there, and are not called. */
export const WASM_IMPORTS = { wasi_snapshot_preview1: new Proxy({}, { get: () => none, has: () => true }) };

/** The kernels of an instance's exports, ready to be called. */
export function startKernels(exports: object): WasmKernels {
  const kernels = exports as WasmKernels;
  kernels._initialize();
  return kernels;
}

/** Whether `a * b + c` is rounded once: then the square of 1 + 2^-12 has a last digit that rounding the product would lose. */
export function isFused({ multiplyAdd }: WasmKernels): boolean {
  const a = 1 + 2 ** -12;
  return multiplyAdd(a, a, -(1 + 2 ** -11)) === 2 ** -24;
}
