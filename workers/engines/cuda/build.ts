// Compiles the parts of the CUDA engine: the add-on and the emulation by g++, the kernels of a kind of GPU by nvcc or NVRTC.
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { addonFile } from '../../build/addon.ts';
import { runCommand } from '../../build/command.ts';
import { checkInProcess, runCompiler, toCompileError } from '../../build/compile.ts';
import { findProgram } from '../../build/programs.ts';
import { sealFolder } from '../../build/sealed-folder.ts';
import { moveIntoPlace } from '../../build/staging.ts';
import {
  ADDON_FLAGS,
  CUDA,
  type CudaLocation,
  EMULATED_DRIVER,
  EMULATION_FLAGS,
  locateCubin,
  NVCC_FLAGS,
} from './library.ts';
import { runNvrtc } from './nvrtc.ts';

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
  const addonPath = join(staged, addonFile(CUDA));
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

/** nvcc as it is called, where it is and no newer than the driver, which would not take what it compiles. */
export async function findNvcc(driverVersion: number, signal?: AbortSignal): Promise<string | undefined> {
  const nvcc = findProgram('nvcc') === null ? NVCC : 'nvcc';
  if (nvcc === NVCC && !existsSync(NVCC)) return undefined;
  try {
    const { stdout } = await runCommand(nvcc, ['--version'], signal === undefined ? {} : { signal });
    const [, major = '', minor = ''] = /release (\d+)\.(\d+)/.exec(stdout) ?? [];
    return major !== '' && Number(major) * 1000 + Number(minor) * 10 <= driverVersion ? nvcc : undefined;
  } catch (error) {
    if (signal?.aborted) throw error;
    return undefined;
  }
}

/**
 * Compiles the kernels for GPUs of one compute capability.
 *
 * @param nvcc what compiles; undefined is NVRTC, which must be there
 * @throws GanglionError `environment` when it fails
 */
export async function buildCubin(
  location: CudaLocation,
  capability: number,
  nvcc: string | undefined,
  staging: string,
  signal: AbortSignal,
): Promise<void> {
  const staged = join(staging, 'kernels');
  const temporary = join(staging, 'compiler');
  const logPath = join(location.cacheFolder, LOG);
  for (const folder of [staged, temporary]) await mkdir(folder, { recursive: true });
  const output = join(staged, 'kernels.cubin');
  const env = { ...process.env, TMPDIR: temporary, LC_ALL: 'C' };
  const architecture = `sm_${capability}`;
  const args = [...NVCC_FLAGS, `-arch=${architecture}`, location.sources.kernels, '-o', output];
  const result = await (nvcc === undefined
    ? runNvrtc(location, output, architecture, signal)
    : runCommand(nvcc, args, { env, signal }));
  if (result.exitCode !== 0) {
    await writeFile(logPath, result.output);
    throw toCompileError('the CUDA kernels', result, logPath, nvcc === undefined ? 'NVRTC' : 'nvcc');
  }
  await sealFolder(staged);
  signal.throwIfAborted();
  await moveIntoPlace(staged, locateCubin(location, capability).folder, join(staging, 'replaced'));
}
