// Where the CUDA engine's compiled parts lie: the add-on, and the kernels of one kind of GPU, each in a folder of the cache that is keyed by the
// sources. GANGLION_CUDA=emulated takes the emulation in place of NVIDIA's driver. Nothing here starts a process.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { toCacheFolder } from '../../../shared/cache-folder.ts';
import { GanglionError } from '../../../shared/error.ts';
import { show } from '../../../shared/printable.ts';
import { addonFile, type FoundAddon, findAddon } from '../../build/addon.ts';
import { faultOf } from '../../build/sealed-folder.ts';
import { type KernelSource, toKernelsKey } from '../kernels/library.ts';

/** What g++ gets for the add-on. */
export const ADDON_FLAGS: readonly string[] = [
  ...['-std=c++17', '-O2', '-fPIC', '-DNAPI_VERSION=8', '-Wall', '-Wextra'],
  ...['-shared', '-static-libstdc++', '-static-libgcc', '-pthread'],
];

/** What g++ gets for the emulation; AVX2 and FMA are for a fused multiply-add that is fast. */
export const EMULATION_FLAGS: readonly string[] = [
  ...['-std=c++17', '-O2', '-fPIC', '-mavx2', '-mfma', '-ffp-contract=off', '-fno-math-errno'],
  ...[
    '-Wall',
    '-Wextra',
    '-Wno-unused-function',
    '-Wno-unknown-pragmas',
    '-shared',
    '-static-libstdc++',
    '-static-libgcc',
  ],
];

/** What nvcc gets beside the kind of GPU. Every operation names its rounding, so that no flag changes a bit; these are for certainty. */
export const NVCC_FLAGS: readonly string[] = ['-std=c++17', '-O3', '-cubin', '-fmad=false', '-ftz=false'];

/** The oldest compute capability that the kernels are compiled for: 7.0. */
export const LEAST_CAPABILITY = 70;

const SOURCE_FOLDER = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? './' : '../../../../workers/engines/cuda/', import.meta.url),
);

/** Absolute paths of the engine's parts. */
export interface CudaLocation {
  readonly cacheFolder: string;
  /** First digits of a SHA-256 over the sources and flags. */
  readonly key: string;
  readonly isEmulated: boolean;
  /** What is compiled here lies there: the add-on, and the emulated driver where it is asked for. */
  readonly hostFolder: string;
  /** What is loaded as the driver. */
  readonly driver: string;
  readonly sources: {
    readonly addon: string;
    readonly emulation: string;
    readonly kernels: string;
  };
}

/** The sources of the engine, by name. */
export function readCudaSources(folder: string = SOURCE_FOLDER): KernelSource[] {
  const names = readdirSync(folder).filter((name) => /\.(cc|cu|cuh|h)$/.test(name));
  return names.sort().map((name) => ({ name, content: readFileSync(join(folder, name)) }));
}

/** @throws GanglionError `usage` for a GANGLION_CUDA that is neither empty nor `emulated` */
export function locateCuda(env: NodeJS.ProcessEnv = process.env): CudaLocation {
  const setting = env.GANGLION_CUDA || undefined; // an empty variable counts as none
  if (setting !== undefined && setting !== 'emulated') {
    throw new GanglionError('usage', `GANGLION_CUDA: expected emulated, got ${show(setting)}`);
  }
  const isEmulated = setting !== undefined;
  const cacheFolder = toCacheFolder(env);
  const key = toKernelsKey(readCudaSources(), [...ADDON_FLAGS, ...EMULATION_FLAGS, ...NVCC_FLAGS]);
  const kind = isEmulated ? 'emulated-' : '';
  const hostFolder = join(cacheFolder, `cuda-${key}-${kind}${process.platform}-${process.arch}`);
  const source = (name: string): string => join(SOURCE_FOLDER, name);
  return {
    ...{ cacheFolder, key, isEmulated, hostFolder },
    driver: isEmulated ? join(hostFolder, EMULATED_DRIVER) : 'libcuda.so.1',
    sources: {
      ...{ addon: source('addon.cc'), emulation: source('emulated-driver.cc') },
      kernels: source('kernels.cu'),
    },
  };
}

/** Name of the add-on. */
export const CUDA = 'ganglion_cuda';

/** The add-on to load: the one compiled here, or that of the package, which has no emulation. @throws GanglionError as {@link findAddon} */
export function findCuda({ hostFolder, cacheFolder, key, isEmulated }: CudaLocation): FoundAddon {
  if (!isEmulated) return findAddon({ name: CUDA, key, cacheFolder, builtFolder: hostFolder });
  return { folder: hostFolder, path: join(hostFolder, addonFile(CUDA)), fault: faultOf(hostFolder, cacheFolder) };
}

/** Name of the emulated driver in its folder. */
export const EMULATED_DRIVER = 'libganglion_emulated_cuda.so';

/** One of every kind of GPU that CUDA 12.9 knows: an image that is made without a GPU has the kernels for all of these. */
export const CAPABILITIES: readonly number[] = [70, 75, 80, 86, 89, 90, 100, 120];

/** Compute capabilities whose kernels a GPU runs, the best first: its own, and older ones of the same generation. */
export function suitableCapabilities(capability: number): number[] {
  const generation = Math.floor(capability / 10) * 10;
  return Array.from({ length: capability - generation + 1 }, (_, i) => capability - i);
}

/** The kernels for GPUs of one compute capability. */
export function locateCubin({ cacheFolder, key }: CudaLocation, capability: number): { folder: string; path: string } {
  const folder = join(cacheFolder, `cuda-${key}-sm_${capability}`);
  return { folder, path: join(folder, 'kernels.cubin') };
}
