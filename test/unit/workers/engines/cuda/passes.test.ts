// The kernels of the CUDA engine, in the emulation, have the bits of the CPU's: every pass and both ways of sampling, on inputs of all sizes, in
// three orders of the threads of a block. Without barriers they have not, so the emulation would find one that is missing.
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Program } from '../../../../../shared/model/program.ts';
import { dcgan, dcgan28 } from '../../../../../shared/model/spec.ts';
import { runCompiler } from '../../../../../workers/build/compile.ts';
import type { CudaBinding } from '../../../../../workers/engines/cuda/binding.ts';
import { cudaExecutor } from '../../../../../workers/engines/cuda/cuda-executor.ts';
import { loadCuda } from '../../../../../workers/engines/cuda/cuda-runner.ts';
import { EMULATION_FLAGS, locateCuda } from '../../../../../workers/engines/cuda/library.ts';
import { kernelExecutor } from '../../../../../workers/engines/kernels/executor.ts';
import { scratchFolder } from '../../../scratch.ts';
import { hasKernels, loadedBinding } from '../kernels/loaded.ts';
import { differences, inputsOf, KINDS, programsOf } from './comparison.ts';
import { compileEmulation } from './emulation.ts';

const SPEC = dcgan28(16);
const signal = new AbortController().signal;
const location = locateCuda({ ...process.env, GANGLION_CUDA: 'emulated' });

const programs = programsOf(SPEC);

/** Names of the outputs whose bits differ from those of the CPU's kernels. */
async function differencesOnGpu(
  binding: CudaBinding,
  driver: string,
  program: Program,
  inputs: Record<string, Float32Array>,
): Promise<string[]> {
  const cpu = kernelExecutor(loadedBinding(), program);
  if (!cpu) throw new Error('the CPU has kernels for every program');
  const gpu = cudaExecutor(binding, binding.openGpu(driver, 0, new Uint8Array(1), 60_000), program);
  try {
    return await differences(cpu, gpu, inputs);
  } finally {
    cpu.dispose();
    gpu.dispose();
  }
}

describe.skipIf(!hasKernels)('kernels of CUDA in the emulation', () => {
  let binding: CudaBinding;
  beforeAll(async () => {
    await compileEmulation(location);
    binding = loadCuda(location).binding;
  }, 240_000);
  afterAll(() => {
    delete process.env.GANGLION_CUDA_ORDER;
  });

  it.each(programs)('%s: the bits of the CPU, whatever the order of threads', async (_, make) => {
    for (const [order, [kind, factors]] of Object.entries(KINDS).entries()) {
      process.env.GANGLION_CUDA_ORDER = String(order % 3);
      for (const batch of kind === 'plain' ? [1, 3, 9] : [3]) {
        const program = make(batch);
        expect(await differencesOnGpu(binding, location.driver, program, inputsOf(program, factors)), kind).toEqual([]);
      }
    }
  });

  // Sizes without kernels of their own: blocks of 64, 32 and 16 channels, grey and colour.
  it.each([
    { imageSize: 32, channels: 3, width: 0.75, batch: 1 },
    { imageSize: 28, channels: 3, width: 2, batch: 1 },
    { imageSize: 64, channels: 1, width: 0.25, batch: 2 },
  ] as const)('$imageSize x $channels, width $width: the bits of the CPU', async ({ batch, ...choice }) => {
    const spec = dcgan({ ...choice, latentSize: 4 });
    for (const [order, [, make]] of programsOf(spec).entries()) {
      process.env.GANGLION_CUDA_ORDER = String(order % 3);
      const program = make(batch);
      expect(await differencesOnGpu(binding, location.driver, program, inputsOf(program, [0.1, -0, 3]))).toEqual([]);
    }
  });

  it('without barriers the bits differ', async () => {
    const output = join(scratchFolder(), 'without.so');
    const compilation = { what: 'the emulation', temporary: scratchFolder(), logPath: join(scratchFolder(), 'log') };
    await runCompiler(
      [...EMULATION_FLAGS, '-DGANGLION_NO_BARRIERS', location.sources.emulation],
      { ...compilation, output },
      signal,
    );
    for (const [, make] of programs) {
      const program = make(2);
      const inputs = inputsOf(program, [0.1]);
      expect(await differencesOnGpu(binding, output, program, inputs)).not.toEqual([]);
    }
  }, 240_000);
});
