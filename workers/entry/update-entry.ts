// Entry file of the coordinator's update in compiled kernels or on a GPU, which it imports into its own thread: nothing here may load another
// library.
import type { UpdateDevice } from '../../shared/device-memory.ts';
import type { GpuFigures } from '../../shared/gpu-figures.ts';
import type { UpdateKernels } from '../../shared/update.ts';
import { loadKernels } from '../engines/kernels/binding.ts';

/**
 * The kernels of the update; undefined where they are not built, not wanted, or the processor cannot run them.
 *
 * @throws GanglionError as `loadKernels` does
 */
export function loadUpdate(): UpdateKernels | undefined {
  return loadKernels()?.binding;
}

/**
 * A GPU that replicas in threads of this process compute on.
 *
 * @param gpu its number; default: the first that can be used
 * @throws GanglionError `environment` when it cannot be used
 */
export async function openDevice(gpu?: number): Promise<UpdateDevice> {
  const [{ cudaRunner }, { cudaDevice }] = await Promise.all([
    import('../engines/cuda/cuda-runner.ts'),
    import('../engines/cuda/cuda-update.ts'),
  ]);
  return cudaDevice(cudaRunner(gpu));
}

/** What ends the process without its threads; undefined where the engine for GPUs is not set up. */
export async function loadExit(): Promise<((code: number) => void) | undefined> {
  const { loadBinding } = await import('../engines/cuda/cuda-runner.ts');
  const { locateCuda } = await import('../engines/cuda/library.ts');
  try {
    return loadBinding(locateCuda()).exitNow;
  } catch {
    return undefined;
  }
}

/** What GPUs are doing. @throws Error where that is not known */
export async function openMonitor(gpus: readonly number[]): Promise<() => GpuFigures[]> {
  const { cudaMonitor } = await import('../engines/cuda/cuda-monitor.ts');
  return cudaMonitor(gpus);
}
