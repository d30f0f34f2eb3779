// Builds what the CUDA engine needs where it is missing: its add-on, then the kernels for the GPUs that the driver has.
import { GanglionError } from '../../shared/error.ts';
import { checkCacheFolder } from '../build/cache-folder.ts';
import { findProgram } from '../build/programs.ts';
import { buildCubin, buildCudaHost, CUDA_BUILD_BYTES, findNvcc } from '../engines/cuda/build.ts';
import { findCubin, loadCuda } from '../engines/cuda/cuda-runner.ts';
import { CAPABILITIES, type CudaLocation, findCuda, locateCubin } from '../engines/cuda/library.ts';
import { fetchNvrtc, hasNvrtc, NVRTC_BYTES, nvrtcFolder } from '../engines/cuda/nvrtc.ts';
import { checkCompiler } from '../engines/kernels/requirements.ts';
import type { InstallOptions } from './install.ts';
import { installPart } from './install-part.ts';

/**
 * Looks whether the engine is there, or could be built. Changes nothing.
 *
 * @returns what is to be compiled first; undefined when nothing is
 * @throws GanglionError `environment` when there is no GPU, or something that can be seen stands in the way
 */
export async function lookAtCuda(location: CudaLocation): Promise<string | undefined> {
  const { platform, arch } = process;
  if (platform !== 'linux' || arch !== 'x64') {
    throw new GanglionError('environment', `cuda needs linux x64, this is ${platform} ${arch}`);
  }
  if (findCuda(location).fault === undefined) {
    const missing = missingCubins(location);
    if (missing.length === 0) return undefined;
    await chooseCompiler(location);
    return `compiling the CUDA kernels (${missing.map((capability) => `sm_${capability}`).join(', ')})`;
  }
  checkCompiler();
  await checkCacheFolder(location.cacheFolder);
  return `compiling ${location.isEmulated ? 'the emulation of CUDA' : "the CUDA engine's add-on"}`;
}

/** Compute capabilities of this machine's GPUs for which there are no kernels yet. @throws GanglionError where it has no GPU */
function missingCubins(location: CudaLocation): number[] {
  if (location.isEmulated) return [];
  const capabilities = new Set(loadCuda(location).gpus.map(({ capability }) => capability));
  return [...capabilities].filter((capability) => findCubin(location, capability) === undefined);
}

/** @returns nvcc where it can be used; undefined for NVRTC @throws GanglionError when neither is there, nor what gets NVRTC */
async function chooseCompiler(location: CudaLocation, signal?: AbortSignal): Promise<string | undefined> {
  const nvcc = await findNvcc(loadCuda(location).driverVersion, signal);
  if (nvcc === undefined) checkNvrtc(location);
  return nvcc;
}

/** @throws GanglionError `environment` where NVRTC is not there and nothing gets it */
function checkNvrtc(location: CudaLocation): void {
  if (hasNvrtc(location) || findProgram('python3') !== null) return;
  const message =
    'the kernels for the GPU need NVRTC, which python3 with pip downloads (Debian, Ubuntu: apt install python3 python3-pip), or an nvcc as old as the driver';
  throw new GanglionError('environment', message);
}

/**
 * Builds the parts that are missing or damaged; waits for another set-up of the same cache folder.
 *
 * @throws GanglionError `environment` for everything that stands in the way and a user can mend
 */
export async function installCuda(location: CudaLocation, options: InstallOptions): Promise<void> {
  const first = await lookAtCuda(location);
  if (first === undefined) return;
  await installCudaHost(location, options);
  const missing = missingCubins(location);
  if (missing.length === 0) return;
  await installCubins(location, missing, await chooseCompiler(location, options.signal), options);
}

/**
 * Builds all that needs no GPU: the add-on, NVRTC, and the kernels for every kind of GPU, for an image that is made on a machine without one.
 *
 * @throws GanglionError as {@link installCuda}
 */
export async function installCudaForAll(location: CudaLocation, options: InstallOptions): Promise<void> {
  await installCudaHost(location, options);
  checkNvrtc(location);
  await installCubins(location, CAPABILITIES, undefined, options);
}

/** Builds the add-on alone, which knows the GPUs. @throws GanglionError as {@link installCuda} */
export async function installCudaHost(location: CudaLocation, options: InstallOptions): Promise<void> {
  if (findCuda(location).fault === undefined) return;
  const line = `compiling ${location.isEmulated ? 'the emulation of CUDA' : "the CUDA engine's add-on"}`;
  await installPart(location.cacheFolder, options, {
    ...{ folder: location.hostFolder, bytes: CUDA_BUILD_BYTES, line },
    work: (staging, signal) => buildCudaHost(location, staging, signal),
  });
}

async function installCubins(
  location: CudaLocation,
  capabilities: readonly number[],
  nvcc: string | undefined,
  options: InstallOptions,
): Promise<void> {
  if (nvcc === undefined) {
    await installPart(location.cacheFolder, options, {
      ...{ folder: nvrtcFolder(location), bytes: NVRTC_BYTES },
      work: (staging, signal) => fetchNvrtc(location, staging, options.progress, signal),
    });
  }
  for (const capability of capabilities) {
    await installPart(location.cacheFolder, options, {
      ...{ folder: locateCubin(location, capability).folder, bytes: CUDA_BUILD_BYTES },
      line: `compiling the CUDA kernels for sm_${capability}: some seconds, once`,
      work: (staging, signal) => buildCubin(location, capability, nvcc, staging, signal),
    });
  }
}
