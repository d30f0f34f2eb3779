// Looks at the machine, the kernels and every backend, changes nothing, and says what training will run on.

import { arch, availableParallelism, cpus, platform, totalmem } from 'node:os';
import type { Backend } from '../../shared/backend.ts';
import { GanglionError, messageOf } from '../../shared/error.ts';
import { recallFailure } from '../build/failed-setup.ts';
import { readProgramVersions } from '../build/programs.ts';
import { requireKernels } from '../engines/kernels/binding.ts';
import { checkKernels } from '../engines/kernels/build.ts';
import { areKernelsReady, type KernelsLocation } from '../engines/kernels/library.ts';
import { checkCompiler, checkMachine, currentMachine } from '../engines/kernels/requirements.ts';
import { loadBinding } from '../engines/tensorflow/binding.ts';
import { checkAddon } from '../engines/tensorflow/build.ts';
import { type ConvolutionReport, measureConvolution } from '../engines/tensorflow/convolution.ts';
import type { LibraryLocation } from '../engines/tensorflow/library.ts';
import { isTensorflowReady } from './install.ts';
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
  /** Instructions that Ganglion's kernels compute with; null where there are no kernels. */
  readonly kernels: 'avx512' | 'avx2' | null;
  /** Where the kernels lie, or why there are none. */
  readonly kernelsDetail: string;
  readonly tensorflowFolder: string;
  readonly tensorflowReady: boolean;
  readonly tensorflow: string | null;
  readonly device: 'cpu' | 'gpu' | null;
  readonly convolution: ConvolutionReport | null;
  readonly gxx: string | null;
  /** Needed to set TensorFlow up, and for nothing else. */
  readonly python: string | null;
  readonly pip: string | null;
  /** One line each: what stands in the way of the kernels. */
  readonly problems: readonly string[];
  /** Every backend, tried. */
  readonly backends: readonly BackendReport[];
  readonly auto: AutoReport;
}

/** What `--backend auto` would take. */
export interface AutoReport {
  readonly backend: Backend;
  /** Why not the kernels, or that they are to be compiled first; null for kernels that are there. */
  readonly note: string | null;
  /** Whether training can start. */
  readonly runs: boolean;
}

/** Those tried in a process each; the others are looked at more closely here. */
const PROBED = ['wasm', 'webgpu', 'js'] as const satisfies readonly Backend[];

const NOT_COMPILED = 'not compiled yet';

/**
 * Examines the machine; uses the kernels and TensorFlow if they are ready, and never installs them.
 *
 * @param physicalCores as the coordinator counted them
 */
export async function examine(
  kernelsLocation: KernelsLocation,
  location: LibraryLocation,
  physicalCores: number,
): Promise<DoctorReport> {
  const [programs, ...probed] = await Promise.all([readProgramVersions(), ...PROBED.map((name) => probe(name))]);
  // after the others: it measures
  const tensorflowReady = isTensorflowReady(location);
  const library = tensorflowReady ? await tryLibrary(location) : NO_LIBRARY;
  const kernels = await tryKernels(kernelsLocation);
  const isa = kernels.isa;
  const cpu: BackendReport = {
    backend: 'cpu',
    runs: isa !== null,
    detail: isa === null ? kernels.detail : `kernels-${isa} ${kernelsLocation.key}`,
  };
  const tensorflow: BackendReport = {
    backend: 'tensorflow',
    runs: library.problem === null && library.tensorflow !== null,
    detail:
      library.problem ??
      (library.tensorflow === null
        ? 'not set up; run: npm run setup -- --tensorflow'
        : `tensorflow-${library.device} ${library.tensorflow}`),
  };
  const backends = [cpu, tensorflow, ...probed];
  const { tensorflow: version, device, convolution } = library;
  return {
    node: process.versions.node,
    platform: `${platform()}-${arch()}`,
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    logicalCores: availableParallelism(),
    physicalCores,
    memoryBytes: readMemoryBytes(),
    cacheFolder: location.cacheFolder,
    kernels: isa,
    kernelsDetail: kernels.detail,
    tensorflowFolder: location.libraryFolder,
    tensorflowReady,
    ...{ tensorflow: version, device, convolution },
    gxx: programs.gxx ?? null,
    python: programs.python ?? null,
    pip: programs.pip ?? null,
    problems: kernels.obstacle === null ? [] : [kernels.obstacle],
    backends,
    auto: whatAutoTakes(kernels, backends),
  };
}

function whatAutoTakes({ isa, obstacle }: KernelsReport, backends: readonly BackendReport[]): AutoReport {
  if (isa !== null) return { backend: 'cpu', note: null, runs: true };
  if (obstacle === null) return { backend: 'cpu', note: 'training compiles the kernels first', runs: true };
  return { backend: 'wasm', note: obstacle, runs: backends.some(({ backend, runs }) => backend === 'wasm' && runs) };
}

interface LibraryReport extends Pick<DoctorReport, 'tensorflow' | 'device' | 'convolution'> {
  readonly problem: string | null;
}

const NO_LIBRARY: LibraryReport = { tensorflow: null, device: null, convolution: null, problem: null };

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
      problem: convolution.ok ? null : 'TensorFlow computes a convolution of ones wrongly',
    };
  } catch (error) {
    return { ...NO_LIBRARY, problem: messageOf(error) };
  }
}

interface KernelsReport {
  readonly isa: DoctorReport['kernels'];
  /** Where they are, or why they do not run. */
  readonly detail: string;
  /** Why they can neither run nor be compiled. */
  readonly obstacle: string | null;
}

/** Never rejects. Loads the kernels in a child first, as {@link tryLibrary} does. */
async function tryKernels(location: KernelsLocation): Promise<KernelsReport> {
  const none = (detail: string, obstacle: string | null): KernelsReport => ({ isa: null, detail, obstacle });
  try {
    checkMachine(currentMachine());
    if (areKernelsReady(location)) {
      await checkKernels(location.addonPath, new AbortController().signal);
      const { isa } = requireKernels().binding;
      if (isa !== 'none') return { isa, detail: location.kernelsFolder, obstacle: null };
    }
    checkCompiler();
    const reason = recallFailure(location.kernelsFolder);
    if (reason !== undefined) throw new GanglionError('environment', `${reason}; try again: npm run setup`);
    return none(NOT_COMPILED, null);
  } catch (error) {
    return none(messageOf(error), messageOf(error));
  }
}

function readMemoryBytes(): number {
  const limit = process.constrainedMemory(); // 0 or an absurd number where there is no limit
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}
