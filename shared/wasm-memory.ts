// Whether WebAssembly can have memory at all: V8 reserves 10 GiB of addresses for one, so that it need not check every access, and a limit of
// address space (ulimit -v, as batch systems set it) may leave less. Node's fetch needs it as well as the backend wasm.

declare const WebAssembly: { readonly Memory: new (size: { initial: number }) => object };

/** One line that says what to do; undefined where there is memory. */
export function describeNoWasmMemory(): string | undefined {
  try {
    new WebAssembly.Memory({ initial: 1 });
    return undefined;
  } catch {
    const remedy = 'raise the limit of address space (ulimit -v), or set NODE_OPTIONS=--disable-wasm-trap-handler';
    return `WebAssembly gets no memory, for which it reserves 10 GiB of addresses: ${remedy}`;
  }
}
