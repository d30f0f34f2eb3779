// NVRTC, NVIDIA's compiler as a library: from a Python wheel, so that nobody needs CUDA's toolkit. It needs neither a GPU nor a driver.
import { createWriteStream } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { openPromise } from 'yauzl';
import { GanglionError } from '../../../shared/error.ts';
import { type CommandResult, runCommand } from '../../build/command.ts';
import { downloadWheel, hasKeptWheel, keptWheelPath, type Wheel } from '../../build/pip-wheel.ts';
import type { Progress } from '../../build/progress.ts';
import { faultOf, sealFolder } from '../../build/sealed-folder.ts';
import { moveIntoPlace } from '../../build/staging.ts';
import { type CudaLocation, findCuda } from './library.ts';

/** Of CUDA 12.9: it compiles for compute capability 7.0 and newer (13 begins at 7.5), and drivers since 525 take what it compiles. */
export const NVRTC: Wheel = {
  label: 'NVRTC',
  requirement: 'nvidia-cuda-nvrtc-cu12==12.9.86',
  pythonVersion: '3.11',
  platform: 'manylinux2010_x86_64',
  fileName: 'nvidia_cuda_nvrtc_cu12-12.9.86-py3-none-manylinux2010_x86_64.manylinux_2_12_x86_64.whl',
  sha256: '210cf05005a447e29214e9ce50851e83fc5f4358df8b453155d5e1918094dcb4',
  bytes: 89_568_129,
};

/** Disk space at the peak of its set-up: the wheel, twice for a moment, and 114 MB of libraries. */
export const NVRTC_BYTES = 2 * NVRTC.bytes + 120_000_000;

const LIBRARIES = ['libnvrtc.so.12', 'libnvrtc-builtins.so.12.9'];

const folderOf = (cacheFolder: string): string => join(cacheFolder, 'nvrtc-12.9.86-linux-x64');

/** Where NVRTC lies, or will. */
export const nvrtcFolder = ({ cacheFolder }: CudaLocation): string => folderOf(cacheFolder);

/** Whether it is there, whole. */
export function hasNvrtc(location: CudaLocation): boolean {
  return faultOf(nvrtcFolder(location), location.cacheFolder) === undefined;
}

/**
 * Downloads NVRTC by pip and moves it to its place.
 *
 * @throws GanglionError `environment` when pip fails, or the wheel is another
 */
export async function fetchNvrtc(
  { cacheFolder }: CudaLocation,
  staging: string,
  progress: Progress,
  signal: AbortSignal,
): Promise<void> {
  if (!(await hasKeptWheel(cacheFolder, NVRTC, signal)))
    await downloadWheel(NVRTC, NVRTC_BYTES, cacheFolder, staging, progress, signal);
  const wheel = keptWheelPath(cacheFolder, NVRTC);
  const staged = join(staging, 'nvrtc');
  await mkdir(staged, { recursive: true });
  const extracted: string[] = [];
  const zip = await openPromise(wheel);
  try {
    for await (const entry of zip.eachEntry()) {
      const name = basename(entry.fileName);
      if (!LIBRARIES.includes(name)) continue;
      await pipeline(await zip.openReadStreamPromise(entry), createWriteStream(join(staged, name)), { signal });
      extracted.push(name);
    }
  } finally {
    zip.close();
  }
  const missing = LIBRARIES.filter((name) => !extracted.includes(name));
  if (missing.length > 0) throw new GanglionError('environment', `the wheel lacks ${missing.join(' and ')}`);
  signal.throwIfAborted();
  await sealFolder(staged);
  await moveIntoPlace(staged, folderOf(cacheFolder), join(staging, 'replaced'));
  await rm(wheel); // last: a set-up that was interrupted has it still
}

/** What NVRTC gets beside the kind of GPU, as NVCC_FLAGS. */
const FLAGS = ['-std=c++17', '-fmad=false', '-ftz=false'];

/** Has the add-on compile; says what is wrong, and nothing else. */
const SCRIPT = `
  const [, addon, library, source, output, ...options] = process.argv;
  try {
    require(addon).compileKernels(library, source, output, options);
  } catch ({ message }) {
    console.error(message);
    process.exitCode = 1;
  }`;

/**
 * Compiles the kernels by NVRTC, which the add-on calls, in a process of its own: it takes seconds, and memory.
 *
 * @param output its name ends in `.cubin` or `.ptx`
 * @param architecture `sm_90` for a `.cubin`, `compute_90` for `.ptx`
 * @param flags others to compile with
 */
export function runNvrtc(
  location: CudaLocation,
  output: string,
  architecture: string,
  signal: AbortSignal,
  flags: readonly string[] = FLAGS,
): Promise<CommandResult> {
  const { kernels } = location.sources;
  const library = join(nvrtcFolder(location), 'libnvrtc.so.12');
  const options = [`--include-path=${dirname(kernels)}`, ...flags, `-arch=${architecture}`];
  const args = ['--input-type=commonjs', '-e', SCRIPT, findCuda(location).path, library, kernels, output, ...options];
  return runCommand(process.execPath, args, { signal });
}
