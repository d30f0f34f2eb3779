// Runs a program on a GPU, with inputs and outputs of the host: what draws samples.
import { GanglionError } from '../../../shared/error.ts';
import type { Program } from '../../../shared/model/program.ts';
import type { Executor, Values } from '../executor.ts';
import type { Address, CudaBinding, NativeGpu } from './binding.ts';
import { CudaProgram } from './cuda-program.ts';

/**
 * Compiles a program for a GPU.
 *
 * @param given inputs that lie on the device
 * @throws GanglionError `shape` when a node of it has no kernel
 */
export function cudaExecutor(
  binding: CudaBinding,
  gpu: NativeGpu,
  program: Program,
  given: Readonly<Record<string, Address>> = {},
): Executor {
  const stream = binding.createStream(gpu);
  const compiled = new CudaProgram(binding, gpu, program, { capacity: 1, given });
  const inputs = compiled.names('input').filter((name) => !(name in given));
  return {
    async run(values: Values, _precomputed, into: Values = {}): Promise<Record<string, Float32Array>> {
      for (const name of inputs) {
        const { address, size } = compiled.array(name);
        const own = values[name];
        if (own?.length === size) binding.write(stream, address, own);
        else {
          const got = own ? `${own.length} values` : 'nothing';
          throw new GanglionError('shape', `${program.name}: input ${name} expected ${size} values, got ${got}`);
        }
      }
      compiled.run(stream, 1);
      binding.synchronise(stream); // with its limit, which a copy to the host's own memory has not
      const results: Record<string, Float32Array> = {};
      for (const name of compiled.names('output')) {
        const { address, size } = compiled.array(name);
        const own = into[name] ?? new Float32Array(size);
        binding.read(stream, address, own);
        results[name] = own;
      }
      return results;
    },
    dispose: () => compiled.dispose(),
  };
}
