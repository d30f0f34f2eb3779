// The kernels of this machine, for tests. Where there are none (no AVX2, or GANGLION_KERNELS=off), tests of them are left out;
// binding.test.ts fails where there should be some.
import { expect } from 'vitest';
import { type KernelBinding, loadKernels } from '../../../../../workers/engines/kernels/binding.ts';
import { kernelExecutor } from '../../../../../workers/engines/kernels/executor.ts';
import type { PlanBinding } from '../../../../../workers/engines/kernels/plan-binding.ts';
import type { ProgramRunner } from '../../../../../workers/engines/program-runner.ts';
import { WasmBinding } from '../../../../../workers/engines/wasm/binding.ts';
import { loadWasm } from '../../../../../workers/engines/wasm/module.ts';

const kernels = loadKernels();

export const hasKernels = kernels !== undefined;

/** Every instruction set of this processor, the widest first, as a process cannot go back to it; then WebAssembly. */
export const ISAS = [
  ...(kernels?.binding.isa === 'avx512' ? (['avx512', 'avx2'] as const) : (['avx2'] as const)),
  'wasm',
] as const;

/** What {@link kernelsRunner} computes with. */
let chosen: PlanBinding | undefined = kernels?.binding;

export function loadedBinding(): KernelBinding {
  if (!kernels) throw new Error('this machine has no kernels');
  return kernels.binding;
}

/** From here on this process computes with these instructions; `wasm-exact` is for machines that do not fuse a multiply-add, and slow. */
export function useIsa(isa: (typeof ISAS)[number] | 'wasm-exact'): void {
  if (isa === 'wasm' || isa === 'wasm-exact') {
    chosen = new WasmBinding(loadWasm(isa === 'wasm' ? 'fused' : 'exact').exports);
    return;
  }
  chosen = loadedBinding();
  if (isa === 'avx2') loadedBinding().limitIsa('avx2');
  expect(chosen.isa).toBe(isa);
}

/** The kernels of {@link useIsa}. */
export function chosenBinding(): PlanBinding {
  return chosen ?? loadedBinding();
}

/** The kernels alone: a program without them is an error. */
export function kernelsRunner(): ProgramRunner {
  const binding = chosenBinding();
  return {
    ...{ name: 'kernels', libraryVersion: 'test' },
    load: (program) => {
      const executor = kernelExecutor(binding, program);
      if (!executor) throw new Error(`there are no kernels for ${program.name}`);
      return executor;
    },
    tensorCount: () => 0,
  };
}

type Outputs = Readonly<Record<string, ArrayLike<number>>>;

/** Holds what one instruction set has computed against what another has, bit by bit. */
export class SameBits {
  readonly #seen = new Map<string, Buffer>();

  expect(name: string, outputs: Outputs): void {
    for (const [output, values] of Object.entries(outputs)) {
      const key = `${name}: ${output}`;
      const bits = Buffer.from(Float32Array.from(values).buffer);
      const seen = this.#seen.get(key);
      if (seen) expect(bits.equals(seen), `${key} has the bits of ${ISAS[0]}`).toBe(true);
      else this.#seen.set(key, bits);
    }
  }
}
