// Programs on a GPU: the engine `cuda`. It follows docs/arithmetic.md, so it has the bits of the kernels.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { ARITHMETIC } from '../../../shared/arithmetic.ts';
import { showDevices } from '../../../shared/device.ts';
import { GanglionError, messageOf } from '../../../shared/error.ts';
import { toPrintable } from '../../../shared/printable.ts';
import { faultOf } from '../../build/sealed-folder.ts';
import type { ProgramRunner } from '../program-runner.ts';
import type { CudaBinding, CudaDevice, NativeGpu } from './binding.ts';
import { cudaExecutor } from './cuda-executor.ts';
import {
  type CudaLocation,
  findCuda,
  LEAST_CAPABILITY,
  locateCubin,
  locateCuda,
  suitableCapabilities,
} from './library.ts';

/** So long a thread waits for a GPU: all that it ever waits for takes seconds at most. A kernel that hangs costs no more. */
const WAIT_MS = 60_000;

/** In the emulation `GANGLION_CUDA_WAIT` ms. */
const waitMs = ({ isEmulated }: CudaLocation): number =>
  Number((isEmulated && process.env.GANGLION_CUDA_WAIT) || WAIT_MS);

/** A GPU that the kernels run on. */
export interface Gpu extends CudaDevice {
  /** Its number in the driver. */
  readonly number: number;
}

/** The add-on, and the GPUs that it can use. */
export interface LoadedCuda {
  readonly binding: CudaBinding;
  readonly gpus: readonly [Gpu, ...Gpu[]];
  /** Newest CUDA that the driver runs: 12090 for 12.9. */
  readonly driverVersion: number;
}

/** Programs on a GPU, and that GPU. */
export interface CudaRunner extends ProgramRunner {
  readonly binding: CudaBinding;
  readonly gpu: NativeGpu;
  /** Its number in the driver. */
  readonly number: number;
}

/** Loads the add-on. @throws GanglionError `environment` where it is not built */
export function loadBinding(location: CudaLocation): CudaBinding {
  const { folder, path, fault } = findCuda(location);
  if (fault !== undefined) throw new GanglionError('environment', `${folder} ${fault}`);
  return createRequire(import.meta.url)(path);
}

/**
 * Loads the add-on and asks the driver for its GPUs.
 *
 * @throws GanglionError `environment` where the add-on is not built, there is no driver, or it has no GPU that the kernels run on
 */
export function loadCuda(location: CudaLocation): LoadedCuda {
  const binding = loadBinding(location);
  let found: ReturnType<CudaBinding['devices']>;
  try {
    found = binding.devices(location.driver, waitMs(location));
  } catch (error) {
    const said = messageOf(error);
    throw new GanglionError('environment', `NVIDIA's driver does not start: ${said}${remedyFor(said)}`, {
      cause: error,
    });
  }
  const { devices, version: driverVersion } = found;
  const [first, ...others] = devices
    .map((device, number) => ({ ...device, number }))
    .filter(({ capability }) => capability >= LEAST_CAPABILITY);
  if (first !== undefined) return { binding, gpus: [first, ...others], driverVersion };
  const [old] = devices;
  if (old === undefined) throw new GanglionError('environment', "NVIDIA's driver finds no GPU");
  const got = `${toPrintable(old.name)} has ${(old.capability / 10).toFixed(1)}`;
  throw new GanglionError('environment', `expected a GPU of compute capability 7.0 or newer, ${got}`);
}

/** What helps against errors of the driver's start, by their codes; the library that is missing has none. */
const REMEDIES: Readonly<Record<string, string>> = {
  '34': 'this is the stub library of a CUDA toolkit; install the driver itself, or start the container with its GPUs',
  '35': 'update the driver to 525 or newer',
  '100': 'there is no GPU, or CUDA_VISIBLE_DEVICES hides it',
  '803': 'the library is of another version than the driver in the kernel; restart the machine, or update the driver',
  '804': 'the library is of another version than the driver in the kernel; restart the machine, or update the driver',
};

function remedyFor(said: string): string {
  if (/libcuda\.so\.1: cannot open/.test(said)) return '; install it, or start the container with its GPUs';
  const remedy = REMEDIES[/\((\d+)\)$/.exec(said)?.[1] ?? ''];
  return remedy === undefined ? '' : `; ${remedy}`;
}

/** The GPUs and the driver, for people. */
export function describeGpus({ gpus, driverVersion }: LoadedCuda): string {
  const shown = gpus.map(({ number, name, capability, bytes }) => {
    return `cuda:${number} is ${toPrintable(name)} (compute capability ${(capability / 10).toFixed(1)}, ${(bytes / 1e9).toFixed(1)} GB)`;
  });
  return `${shown.join(', ')}, driver for CUDA ${Math.floor(driverVersion / 1000)}.${(driverVersion % 1000) / 10}`;
}

/**
 * Opens a GPU in this thread.
 *
 * @param number of the GPU; default: the first that can be used
 * @param limitMs after which the GPU counts as lost; default: 60 s
 * @throws GanglionError `environment` when it cannot be used
 */
export function cudaRunner(number?: number, limitMs = waitMs(locateCuda())): CudaRunner {
  const location = locateCuda();
  const { binding, gpus } = loadCuda(location);
  const { name: device, capability, number: ordinal } = number === undefined ? gpus[0] : findGpu(gpus, number);
  const gpu = binding.openGpu(location.driver, ordinal, readKernelsFor(location, capability), limitMs);
  return {
    ...{ binding, gpu, number: ordinal, device },
    name: location.isEmulated ? 'cuda-emulated' : `cuda-sm_${capability}`,
    libraryVersion: location.key,
    arithmetic: ARITHMETIC,
    load: (program) => cudaExecutor(binding, gpu, program),
    tensorCount: () => 0,
  };
}

/** @throws GanglionError `environment` for a number that is none of a GPU that can be used, and names those that are */
export function findGpu(gpus: readonly Gpu[], number: number, backend: 'cuda' | 'tensorflow' = 'cuda'): Gpu {
  const gpu = gpus.find((one) => one.number === number);
  if (gpu) return gpu;
  const present = showDevices(gpus.map((one) => ({ backend, gpu: one.number })));
  throw new GanglionError('environment', `${backend}:${number}: expected a GPU that can be used here (${present})`);
}

/** The compiled kernels; the emulated driver has them in itself. */
function readKernelsFor(location: CudaLocation, capability: number): Uint8Array {
  if (location.isEmulated) return new Uint8Array(1);
  const found = findCubin(location, capability);
  if (found === undefined) throw new GanglionError('environment', `the kernels for sm_${capability} are not compiled`);
  const image = readFileSync(found);
  return new Uint8Array(image.buffer, image.byteOffset, image.byteLength);
}

/** Compiled kernels that a GPU runs; undefined where there are none. */
export function findCubin(location: CudaLocation, capability: number): string | undefined {
  return suitableCapabilities(capability)
    .map((suitable) => locateCubin(location, suitable))
    .find(({ folder }) => faultOf(folder, location.cacheFolder) === undefined)?.path;
}
