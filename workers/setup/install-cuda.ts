// Builds what the CUDA engine needs where it is missing: its add-on, then the kernels for the GPUs that the driver has.
import { GanglionError } from '../../shared/error.ts';
import { checkCacheFolder } from '../build/cache-folder.ts';
import { checkDisk } from '../build/disk.ts';
import { faultOf } from '../build/sealed-folder.ts';
import { clearTraces, inStagingFolder } from '../build/staging.ts';
import { buildCubin, buildCudaHost, CUDA_BUILD_BYTES } from '../engines/cuda/build.ts';
import { loadCuda } from '../engines/cuda/cuda-runner.ts';
import { type CudaLocation, locateCubin } from '../engines/cuda/library.ts';
import { checkCompiler } from '../engines/kernels/requirements.ts';
import { type InstallOptions, locked } from './install.ts';

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
  if (faultOf(location.hostFolder, location.cacheFolder) === undefined) {
    const missing = missingCubins(location);
    if (missing.length === 0) return undefined;
    return `compiling the CUDA kernels (${missing.map((capability) => `sm_${capability}`).join(', ')})`;
  }
  checkCompiler();
  await checkCacheFolder(location.cacheFolder);
  return `compiling ${location.isEmulated ? 'the emulation of CUDA' : "the CUDA engine's add-on"}`;
}

/** Compute capabilities of this machine's GPUs for which there are no kernels yet. */
function missingCubins(location: CudaLocation): number[] {
  if (location.isEmulated) return [];
  const capabilities = new Set(loadCuda(location).gpus.map(({ capability }) => capability));
  return [...capabilities].filter(
    (capability) => faultOf(locateCubin(location, capability).folder, location.cacheFolder) !== undefined,
  );
}

/**
 * Builds the parts that are missing or damaged; waits for another set-up of the same cache folder.
 *
 * @throws GanglionError `environment` for everything that stands in the way and a user can mend
 */
export async function installCuda(location: CudaLocation, options: InstallOptions): Promise<void> {
  const build = async (
    folder: string,
    line: string,
    work: (staging: string, signal: AbortSignal) => Promise<void>,
  ): Promise<void> => {
    await locked(location.cacheFolder, CUDA_BUILD_BYTES, options, async (signal) => {
      if (faultOf(folder, location.cacheFolder) === undefined) return; // another set-up has built it
      await clearTraces(folder);
      await checkDisk(location.cacheFolder, CUDA_BUILD_BYTES);
      options.progress.line(line);
      await inStagingFolder(folder, signal, (staging) => work(staging, signal));
    });
  };
  const first = await lookAtCuda(location);
  if (first === undefined) return;
  if (faultOf(location.hostFolder, location.cacheFolder) !== undefined) {
    await build(location.hostFolder, first, (staging, signal) => buildCudaHost(location, staging, signal));
  }
  loadCuda(location); // before nvcc works for a machine without a GPU
  for (const capability of missingCubins(location)) {
    const { folder } = locateCubin(location, capability);
    const line = `compiling the CUDA kernels for sm_${capability}: about 20 seconds, once`;
    await build(folder, line, (staging, signal) => buildCubin(location, capability, staging, signal));
  }
}
