// Entry file of the coordinator's update in compiled kernels, which it imports into its own thread: nothing here may load another library.
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
