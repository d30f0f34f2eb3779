// What the GPUs of a run are doing, by a program of the workers' side.
import type { Devices } from '../../shared/device.ts';
import type { GpuFigures } from '../../shared/gpu-figures.ts';

/** Reads what the GPUs are doing. */
export type ReadGpus = () => readonly GpuFigures[];

export const NO_GPUS: ReadGpus = () => [];

/**
 * @param entry compiled entry file of the kernels' side
 * @returns reads nothing where there are no GPUs, or their driver does not tell
 */
export async function loadGpuMonitor(entry: URL, devices: Devices): Promise<ReadGpus> {
  const numbers = devices.flatMap(({ backend, gpu }) => gpu ?? (backend === 'cuda' ? 0 : []));
  if (numbers.length === 0) return NO_GPUS;
  const { openMonitor }: { openMonitor(gpus: readonly number[]): Promise<ReadGpus> } = await import(entry.href);
  return await openMonitor(numbers).catch(() => NO_GPUS); // figures are no reason to end
}
