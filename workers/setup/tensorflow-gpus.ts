// The GPUs that TensorFlow computes on: where it was set up for them, all that NVIDIA's driver has, a process each.
import { existsSync } from 'node:fs';
import { type Devices, seesGpu } from '../../shared/device.ts';
import { GanglionError, messageOf } from '../../shared/error.ts';
import { findGpu, loadCuda } from '../engines/cuda/cuda-runner.ts';
import { type CudaLocation, locateCuda } from '../engines/cuda/library.ts';
import { locateLibrary } from '../engines/tensorflow/library.ts';
import type { InstallOptions } from './install.ts';
import { installCudaHost } from './install-cuda.ts';

type Preparation = Omit<InstallOptions, 'again'>;

/** The CUDA engine's add-on, which knows the GPUs; the emulation has none for TensorFlow. */
export const cudaOfNvidia = (): CudaLocation => locateCuda({ ...process.env, GANGLION_CUDA: '' });

/** @throws GanglionError `environment` where there are none that can be used */
async function findGpus(preparation: Preparation | null) {
  const location = cudaOfNvidia();
  if (preparation !== null) await installCudaHost(location, { ...preparation, again: true });
  return loadCuda(location).gpus;
}

/**
 * Where TensorFlow computes: on every GPU where it is set up for them, else on the CPU.
 *
 * @returns with it one line that says why it is the CPU, where there is a GPU that it cannot use; null where there is nothing to say
 */
export async function placeTensorflow(
  preparation: Preparation | null,
): Promise<{ readonly devices: Devices; readonly note: string | null }> {
  const cpu: Devices = [{ backend: 'tensorflow' }];
  if (locateLibrary().variant !== 'gpu' || !seesGpu(existsSync, { ...process.env, GANGLION_CUDA: '' }))
    return { devices: cpu, note: null };
  try {
    const [first, ...others] = (await findGpus(preparation)).map(({ number }) => {
      return { backend: 'tensorflow', gpu: number } as const;
    });
    return { devices: first === undefined ? cpu : [first, ...others], note: null };
  } catch (error) {
    if (!(error instanceof GanglionError)) throw error;
    return { devices: cpu, note: `TensorFlow computes on the CPU, as the GPU cannot be used: ${messageOf(error)}` };
  }
}

/** @throws GanglionError `environment` where TensorFlow is not set up for GPUs */
export function requireGpuLibrary(): void {
  if (locateLibrary().variant !== 'gpu')
    throw new GanglionError('environment', 'TensorFlow is not set up for GPUs; run: npm run setup -- --tensorflow gpu');
}

/** @throws GanglionError `environment` where one of these GPUs cannot be used */
export async function checkTensorflowGpus(numbers: readonly number[], preparation: Preparation | null): Promise<void> {
  const gpus = await findGpus(preparation);
  for (const number of numbers) findGpu(gpus, number, 'tensorflow');
}
