// Looks at the machine, the native library and the other backends, changes nothing, and says what training will run on.

import { arch, availableParallelism, cpus, platform, totalmem } from 'node:os';
import type { Backend } from '../../shared/backend.ts';
import { messageOf } from '../../shared/error.ts';
import { checkAddon } from '../build/compile.ts';
import { recallFailure } from '../build/failed-setup.ts';
import { checkPlatform, checkPrograms, currentPlatform } from '../build/preflight.ts';
import { type ProgramVersions, readProgramVersions } from '../build/programs.ts';
import { loadKernels, readKernelsSetting } from '../engines/kernels/binding.ts';
import { checkKernels } from '../engines/kernels/build.ts';
import { areKernelsReady, type KernelsLocation } from '../engines/kernels/library.ts';
import { loadBinding } from '../engines/tensorflow/binding.ts';
import { type ConvolutionReport, measureConvolution } from '../engines/tensorflow/convolution.ts';
import { isReady, type LibraryLocation } from '../engines/tensorflow/library.ts';
import { type BackendReport, probe } from './probe.ts';

/** What the doctor prints as JSON; `null` for what is missing or could not be tried. */
export interface DoctorReport {
  readonly node: string;
  readonly platform: string;
  readonly cpu: string;
  readonly logicalCores: number;
  readonly physicalCores: number;
  /** Of the machine, or of the container's limit where it has one. */
  readonly memoryBytes: number;
  readonly cacheFolder: string;
  readonly libraryFolder: string;
  readonly libraryReady: boolean;
  readonly tensorflow: string | null;
  readonly device: 'cpu' | 'gpu' | null;
  readonly convolution: ConvolutionReport | null;
  /** Instructions that Ganglion's kernels compute with in place of the library; null where native computes without them. */
  readonly kernels: 'avx512' | 'avx2' | null;
  /** Where the kernels lie, or why there are none. */
  readonly kernelsDetail: string;
  readonly python: string | null;
  readonly pip: string | null;
  readonly gxx: string | null;
  /** One line each: what stands in the way of the native backend. */
  readonly problems: readonly string[];
  /** Every backend, tried. */
  readonly backends: readonly BackendReport[];
  readonly auto: AutoReport;
}

/** What `--backend auto` would take. */
export interface AutoReport {
  readonly backend: Backend;
  /** Why not native, or that it is to be set up first; null for a native library that is there. */
  readonly note: string | null;
  /** Whether training can start. */
  readonly runs: boolean;
}

/** Those tried in a process each; native is looked at more closely here. */
const PORTABLE = ['wasm', 'webgpu', 'cpu'] as const satisfies readonly Backend[];

/**
 * Examines the machine; uses the library at `location` and the kernels if they are ready, and never installs them.
 *
 * @param physicalCores as the coordinator counted them
 */
export async function examine(
  location: LibraryLocation,
  kernelsLocation: KernelsLocation,
  physicalCores: number,
): Promise<DoctorReport> {
  const libraryReady = isReady(location);
  const [programs, ...portable] = await Promise.all([readProgramVersions(), ...PORTABLE.map((name) => probe(name))]);
  // after the others: it measures
  const library = libraryReady ? await tryLibrary(location) : NO_LIBRARY;
  const { kernels, kernelsDetail } = await tryKernels(kernelsLocation);
  const obstacles = libraryReady ? [] : whyNotReady(programs);
  const missing = `no native library in ${location.libraryFolder}; run: npm run setup`;
  const problems = libraryReady ? library.problems : [missing, ...obstacles];
  const native: BackendReport = {
    backend: 'native',
    runs: problems.length === 0,
    detail: problems[0] ?? `tensorflow-${library.device} ${library.tensorflow}`,
  };
  const backends = [native, ...portable];
  return {
    node: process.versions.node,
    platform: `${platform()}-${arch()}`,
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    logicalCores: availableParallelism(),
    physicalCores,
    memoryBytes: readMemoryBytes(),
    cacheFolder: location.cacheFolder,
    libraryFolder: location.libraryFolder,
    libraryReady,
    tensorflow: library.tensorflow,
    device: library.device,
    convolution: library.convolution,
    kernels,
    kernelsDetail,
    python: programs.python ?? null,
    pip: programs.pip ?? null,
    gxx: programs.gxx ?? null,
    problems,
    backends,
    auto: libraryReady
      ? { backend: 'native', note: null, runs: native.runs }
      : whatAutoTakes(obstacles[0] ?? recallFailure(location.libraryFolder), backends),
  };
}

/** @param obstacle why there can be no native library, if there cannot */
function whatAutoTakes(obstacle: string | undefined, backends: readonly BackendReport[]): AutoReport {
  // Also before a set-up, wasm is what training falls back to.
  const runs = backends.some((report) => report.backend === 'wasm' && report.runs);
  if (obstacle === undefined) return { backend: 'native', note: 'once it is set up, which training begins with', runs };
  return { backend: 'wasm', note: obstacle, runs };
}

interface LibraryReport extends Pick<DoctorReport, 'tensorflow' | 'device' | 'convolution' | 'problems'> {}

const NO_LIBRARY: LibraryReport = { tensorflow: null, device: null, convolution: null, problems: [] };

/** Loads the library in a child first: one that does not fit this processor would kill the doctor. */
async function tryLibrary(location: LibraryLocation): Promise<LibraryReport> {
  try {
    await checkAddon(location.addonPath, new AbortController().signal);
    const binding = loadBinding();
    const convolution = measureConvolution(binding);
    return {
      tensorflow: binding.TF_Version,
      device: binding.isUsingGpuDevice() ? 'gpu' : 'cpu',
      convolution,
      problems: convolution.ok ? [] : ['the native library computes a convolution of ones wrongly'],
    };
  } catch (error) {
    return { ...NO_LIBRARY, problems: [messageOf(error)] };
  }
}

/** Never rejects: native computes without the kernels too. Loads them in a child first, as {@link tryLibrary} does. */
async function tryKernels(location: KernelsLocation): Promise<Pick<DoctorReport, 'kernels' | 'kernelsDetail'>> {
  const none = (kernelsDetail: string) => ({ kernels: null, kernelsDetail });
  try {
    if (readKernelsSetting() === 'off') return none('switched off by GANGLION_KERNELS');
    if (!areKernelsReady(location)) {
      const reason = recallFailure(location.kernelsFolder);
      return none(['not built', reason ?? [], 'run: npm run setup'].flat().join('; '));
    }
    await checkKernels(location.addonPath, new AbortController().signal);
    const isa = loadKernels()?.binding.isa;
    if (isa === undefined || isa === 'none') return none('this processor has no AVX2 and FMA');
    return { kernels: isa, kernelsDetail: location.kernelsFolder };
  } catch (error) {
    return none(messageOf(error));
  }
}

function whyNotReady(programs: ProgramVersions): string[] {
  const checks = [() => checkPlatform(currentPlatform()), () => checkPrograms(programs)];
  return checks.flatMap((check) => {
    try {
      check();
      return [];
    } catch (error) {
      return [messageOf(error)];
    }
  });
}

function readMemoryBytes(): number {
  const limit = process.constrainedMemory(); // 0 or an absurd number where there is no limit
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}
