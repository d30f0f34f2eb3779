// Brings a state to the GPUs that the replicas compute on.
import type { UpdateDevice } from '../../shared/device-memory.ts';
import { GanglionError, messageOf } from '../../shared/error.ts';
import { DeviceState } from './device-state.ts';
import type { TrainingState } from './state.ts';

/**
 * A state on the first of the GPUs that the replicas, in threads of this process, compute on.
 *
 * @param entry compiled entry file of the kernels' side
 * @param gpus their numbers; undefined is the first that can be used
 * @param images of the data set
 * @throws GanglionError `environment` when a GPU cannot be used
 */
export async function loadDeviceState(
  entry: URL,
  gpus: readonly (number | undefined)[],
  state: TrainingState,
  images: Uint8Array,
): Promise<DeviceState> {
  const { openDevice }: { openDevice: (gpu?: number) => Promise<UpdateDevice> } = await import(entry.href);
  try {
    const [first, ...others] = new Set(gpus);
    const device = await openDevice(first);
    return new DeviceState(state, device, images, await Promise.all(others.map(openDevice)));
  } catch (error) {
    throw toUnusable(error);
  }
}

/** An error of a device's call before training. */
export function toUnusable(error: unknown): GanglionError {
  if (error instanceof GanglionError) return error;
  return new GanglionError('environment', `the GPU cannot be used: ${messageOf(error)}`, { cause: error });
}
