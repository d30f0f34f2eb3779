// Programs on a GPU: the engine `cuda`. It follows docs/arithmetic.md, so it has the bits of the kernels.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { ARITHMETIC } from '../../../shared/arithmetic.ts';
import { GanglionError, messageOf } from '../../../shared/error.ts';
import { faultOf } from '../../build/sealed-folder.ts';
import type { ProgramRunner } from '../program-runner.ts';
import type { CudaBinding, CudaDevice, NativeGpu } from './binding.ts';
import { cudaExecutor } from './cuda-executor.ts';
import { type CudaLocation, LEAST_CAPABILITY, locateCubin, locateCuda } from './library.ts';

/** The add-on, and the GPUs that it can use. */
export interface LoadedCuda {
  readonly binding: CudaBinding;
  /** At least one. */
  readonly devices: readonly CudaDevice[];
}

/** Programs on a GPU, and that GPU. */
export interface CudaRunner extends ProgramRunner {
  readonly binding: CudaBinding;
  readonly gpu: NativeGpu;
}

/**
 * Loads the add-on and asks the driver for its GPUs.
 *
 * @throws GanglionError `environment` where the add-on is not built, there is no driver, or it has no GPU that the kernels run on
 */
export function loadCuda(location: CudaLocation): LoadedCuda {
  const fault = faultOf(location.hostFolder, location.cacheFolder);
  if (fault !== undefined) throw new GanglionError('environment', `${location.hostFolder} ${fault}`);
  const binding: CudaBinding = createRequire(import.meta.url)(location.addonPath);
  let devices: readonly CudaDevice[];
  try {
    devices = binding.devices(location.driver).devices;
  } catch (error) {
    throw new GanglionError('environment', `NVIDIA's driver does not start: ${messageOf(error)}`, { cause: error });
  }
  const old = devices.find(({ capability }) => capability < LEAST_CAPABILITY);
  if (old) {
    const got = `${old.name} has ${old.capability / 10}`;
    throw new GanglionError('environment', `expected GPUs of compute capability 7.0 or newer, ${got}`);
  }
  if (devices.length === 0) throw new GanglionError('environment', "NVIDIA's driver finds no GPU");
  return { binding, devices };
}

/**
 * Opens a GPU in this thread.
 *
 * @param replica replicas take the GPUs in turn
 * @throws GanglionError `environment` when it cannot be used
 */
export function cudaRunner(replica: number): CudaRunner {
  const location = locateCuda();
  const { binding, devices } = loadCuda(location);
  const ordinal = replica % devices.length;
  const { name: device, capability } = devices[ordinal] ?? { name: 'unknown', capability: 0 };
  const gpu = binding.openGpu(location.driver, ordinal, readKernelsFor(location, capability));
  return {
    ...{ binding, gpu, device },
    name: location.isEmulated ? 'cuda-emulated' : `cuda-sm_${capability}`,
    libraryVersion: location.key,
    arithmetic: ARITHMETIC,
    load: (program) => cudaExecutor(binding, gpu, program),
    tensorCount: () => 0,
  };
}

/** The compiled kernels; the emulated driver has them in itself. */
function readKernelsFor(location: CudaLocation, capability: number): Uint8Array {
  if (location.isEmulated) return new Uint8Array(1);
  const { folder, path } = locateCubin(location, capability);
  const fault = faultOf(folder, location.cacheFolder);
  if (fault !== undefined) throw new GanglionError('environment', `${folder} ${fault}`);
  const image = readFileSync(path);
  return new Uint8Array(image.buffer, image.byteOffset, image.byteLength);
}
