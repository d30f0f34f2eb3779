// Compiles the parts of the CUDA engine: the add-on and the emulation by g++, the kernels of a kind of GPU by nvcc.
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { GanglionError } from '../../../shared/error.ts';
import { runCommand } from '../../build/command.ts';
import { checkInProcess, runCompiler, toCompileError } from '../../build/compile.ts';
import { findProgram } from '../../build/programs.ts';
import { sealFolder } from '../../build/sealed-folder.ts';
import { moveIntoPlace } from '../../build/staging.ts';
import {
  ADDON_FLAGS,
  type CudaLocation,
  EMULATED_DRIVER,
  EMULATION_FLAGS,
  locateCubin,
  NVCC_FLAGS,
} from './library.ts';

/** Disk space that compiling takes at its peak. */
export const CUDA_BUILD_BYTES = 100_000_000;

const LOG = 'setup-compile-cuda.log';

/**
 * Builds the add-on, and the emulated driver where it is asked for.
 *
 * @throws GanglionError `environment` when g++ is missing or fails, or when the add-on does not load
 */
export async function buildCudaHost(location: CudaLocation, staging: string, signal: AbortSignal): Promise<void> {
  const staged = join(staging, 'host');
  const temporary = join(staging, 'gxx');
  const logPath = join(location.cacheFolder, LOG);
  const addonPath = join(staged, 'ganglion_cuda.node');
  const { addon, emulation } = location.sources;
  await runCompiler(
    [...ADDON_FLAGS, addon, '-ldl'],
    { what: "the CUDA engine's add-on", output: addonPath, temporary, logPath },
    signal,
  );
  if (location.isEmulated) {
    const output = join(staged, EMULATED_DRIVER);
    await runCompiler(
      [...EMULATION_FLAGS, emulation],
      { what: 'the emulation of CUDA', output, temporary, logPath },
      signal,
    );
  }
  await checkInProcess('require(process.argv[1])', { what: "the CUDA engine's add-on", addonPath }, signal);
  await sealFolder(staged);
  signal.throwIfAborted();
  await moveIntoPlace(staged, location.hostFolder, join(staging, 'replaced'));
}

/** Where CUDA's own installer puts nvcc, which is often on no PATH. */
const NVCC = '/usr/local/cuda/bin/nvcc';

/** nvcc as it is called. @throws GanglionError `environment` where it is missing */
function findNvcc(capability: number): string {
  if (findProgram('nvcc') !== null) return 'nvcc';
  if (existsSync(NVCC)) return NVCC;
  const message = `nvcc is missing, it compiles the kernels for this GPU (sm_${capability}); install CUDA's compiler (Debian, Ubuntu: apt install nvidia-cuda-toolkit)`;
  throw new GanglionError('environment', message);
}

/**
 * Compiles the kernels for GPUs of one compute capability.
 *
 * @throws GanglionError `environment` when nvcc is missing or fails
 */
export async function buildCubin(
  location: CudaLocation,
  capability: number,
  staging: string,
  signal: AbortSignal,
): Promise<void> {
  const nvcc = findNvcc(capability);
  const staged = join(staging, 'kernels');
  const temporary = join(staging, 'nvcc');
  const logPath = join(location.cacheFolder, LOG);
  for (const folder of [staged, temporary]) await mkdir(folder, { recursive: true });
  const output = join(staged, 'kernels.cubin');
  const args = [...NVCC_FLAGS, `-arch=sm_${capability}`, location.sources.kernels, '-o', output];
  const result = await runCommand(nvcc, args, { env: { ...process.env, TMPDIR: temporary, LC_ALL: 'C' }, signal });
  if (result.exitCode !== 0) {
    await writeFile(logPath, result.output);
    throw toCompileError('the CUDA kernels', result, logPath, 'nvcc');
  }
  await sealFolder(staged);
  signal.throwIfAborted();
  await moveIntoPlace(staged, locateCubin(location, capability).folder, join(staging, 'replaced'));
}
