// What GPUs are doing, by NVIDIA's management library (NVML).
import type { GpuFigures } from '../../../shared/gpu-figures.ts';
import { loadCuda } from './cuda-runner.ts';
import { locateCuda } from './library.ts';

/**
 * @param numbers of the GPUs
 * @returns reads what they are doing; it takes well under a millisecond
 * @throws Error where the library is missing or does not start
 */
export function cudaMonitor(numbers: readonly number[]): () => GpuFigures[] {
  const location = locateCuda();
  const { binding, gpus } = loadCuda(location);
  const monitor = binding.openMonitor(location.isEmulated ? location.driver : 'libnvidia-ml.so.1');
  const watched = gpus.filter(({ number }) => numbers.includes(number));
  return () => watched.map(({ number, busId }) => ({ gpu: number, ...binding.figures(monitor, busId) }));
}
