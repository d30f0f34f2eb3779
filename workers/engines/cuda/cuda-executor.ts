// Runs a program on a GPU, with inputs and outputs of the host: what draws samples.
import { GanglionError } from '../../../shared/error.ts';
import type { Program } from '../../../shared/model/program.ts';
import type { Executor, Values } from '../executor.ts';
import type { CudaBinding, NativeGpu, NativeStream } from './binding.ts';
import { CudaProgram } from './cuda-program.ts';

/**
 * Compiles a program for a GPU.
 *
 * @throws GanglionError `shape` when a node of it has no kernel
 */
export function cudaExecutor(
  binding: CudaBinding,
  gpu: NativeGpu,
  program: Program,
  stream: NativeStream = binding.createStream(gpu),
): Executor {
  const compiled = new CudaProgram(binding, gpu, program, { capacity: 1 });
  return {
    async run(given: Values, _precomputed, into: Values = {}): Promise<Record<string, Float32Array>> {
      for (const name of compiled.names('input')) {
        const { address, size } = compiled.array(name);
        const values = given[name];
        if (values?.length === size) binding.write(stream, address, values);
        else {
          const got = values ? `${values.length} values` : 'nothing';
          throw new GanglionError('shape', `${program.name}: input ${name} expected ${size} values, got ${got}`);
        }
      }
      compiled.run(stream, 1);
      const results: Record<string, Float32Array> = {};
      for (const name of compiled.names('output')) {
        const { address, size } = compiled.array(name);
        const values = into[name] ?? new Float32Array(size);
        binding.read(stream, address, values);
        results[name] = values;
      }
      binding.synchronise(stream);
      return results;
    },
    dispose: () => compiled.dispose(),
  };
}
