// Looks at the machine, the kernels and every backend, changes nothing, and says what training will run on: by training's own decision.

import { arch, availableParallelism, cpus, platform, totalmem } from 'node:os';
import { BACKENDS, type Backend } from '../../shared/backend.ts';
import { GanglionError, messageOf } from '../../shared/error.ts';
import { checkCacheFolder } from '../build/cache-folder.ts';
import { type ProgramVersions, readProgramVersions } from '../build/programs.ts';
import { ABSENT } from '../build/sealed-folder.ts';
import { locateCuda } from '../engines/cuda/library.ts';
import { findKernels, type KernelsLocation } from '../engines/kernels/library.ts';
import type { ConvolutionReport } from '../engines/tensorflow/convolution.ts';
import { type LibraryLocation, setupCommand, type Variant } from '../engines/tensorflow/library.ts';
import { checkPlatform, checkPrograms, currentPlatform } from '../engines/tensorflow/preflight.ts';
import { type Choice, chooseBackend } from './choose-backend.ts';
import { describeMpi } from './find-mpi.ts';
import { lookAtKernels } from './install.ts';
import { lookAtCuda } from './install-cuda.ts';
import { isTensorflowReady } from './install-tensorflow.ts';
import { type BackendReport, type Probed, probe } from './probe.ts';

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
  readonly kernels: 'avx512' | 'avx2' | 'neon' | null;
  /** Where the kernels lie, or why there are none. */
  readonly kernelsDetail: string;
  readonly tensorflowFolder: string;
  readonly tensorflowReady: boolean;
  /** Which of the two is set up: `gpu` computes on the CPU where there is no GPU. */
  readonly tensorflowVariant: Variant | null;
  readonly tensorflow: string | null;
  readonly device: 'cpu' | 'gpu' | null;
  readonly convolution: ConvolutionReport | null;
  readonly gxx: string | null;
  /** Needed to set TensorFlow up, and for nothing else. */
  readonly python: string | null;
  readonly pip: string | null;
  /** Open MPI with its version, which trains on several machines; null where there is none. */
  readonly mpi: string | null;
  /** One line each: what stands in the way of the kernels. */
  readonly problems: readonly string[];
  /** Every backend, tried. */
  readonly backends: readonly BackendReport[];
  readonly auto: AutoReport;
}

/** What training takes, by `auto` or as GANGLION_BACKEND asks. */
export interface AutoReport {
  readonly backend: Backend;
  /** Why not the kernels, what training does first, or why it cannot start: as training says it. Null for a backend that is there. */
  readonly note: string | null;
  /** What computes, with its version; null where it is not there yet. */
  readonly computing: string | null;
  /** Whether training can start. */
  readonly runs: boolean;
}

/** How long a GPU is tried that training does not take: its driver may hang, and the doctor answers within five seconds. */
const UNUSED_GPU_MS = 3_000;

/**
 * Examines the machine; uses what is ready, and never installs anything.
 *
 * @param setting backend that training is told to take
 * @param physicalCores as the coordinator counted them
 */
export async function examine(
  setting: Backend | 'auto',
  kernelsLocation: KernelsLocation,
  location: LibraryLocation,
  physicalCores: number,
): Promise<DoctorReport> {
  const [programs, kernels, mpi, choice] = await Promise.all([
    readProgramVersions(),
    lookForKernels(kernelsLocation),
    describeMpi(),
    chooseBackend(setting, null).catch((error: unknown) => toRefusal(error)),
  ]);
  const missing: Partial<Record<Backend, string | null>> = {
    cpu: kernels.missing,
    cuda: await lookForCuda(),
    tensorflow: await lookForTensorflow(location, programs),
  };
  const probed = await Promise.all(
    BACKENDS.map(async (backend): Promise<Probed> => {
      const why = missing[backend] ?? null;
      if (why !== null) return { backend, runs: false, detail: why };
      const isTaken = !(choice instanceof GanglionError) && choice.backend === backend;
      return probe(backend, backend === 'webgpu' && !isTaken ? UNUSED_GPU_MS : undefined);
    }),
  );
  const [cpu, tensorflow] = (['cpu', 'tensorflow'] as const).map((name) =>
    probed.find(({ backend }) => backend === name),
  );
  return {
    node: process.versions.node,
    platform: `${platform()}-${arch()}`,
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    logicalCores: availableParallelism(),
    physicalCores,
    memoryBytes: readMemoryBytes(),
    cacheFolder: location.cacheFolder,
    kernels: (['avx512', 'avx2', 'neon'] as const).find((isa) => cpu?.engine?.name === `kernels-${isa}`) ?? null,
    kernelsDetail: cpu?.runs ? findKernels(kernelsLocation).folder : (cpu?.detail ?? ''),
    tensorflowFolder: location.libraryFolder,
    tensorflowReady: missing.tensorflow === null,
    tensorflowVariant: missing.tensorflow === null ? location.variant : null,
    tensorflow: tensorflow?.engine?.libraryVersion ?? null,
    device: (['cpu', 'gpu'] as const).find((device) => tensorflow?.engine?.name === `tensorflow-${device}`) ?? null,
    convolution: tensorflow?.convolution ?? null,
    gxx: programs.gxx ?? null,
    python: programs.python ?? null,
    pip: programs.pip ?? null,
    mpi,
    problems: kernels.obstacle === null ? [] : [kernels.obstacle],
    backends: probed.map(({ backend, runs, detail }) => ({ backend, runs, detail })),
    auto: toAutoReport(setting, choice, probed),
  };
}

function toRefusal(error: unknown): GanglionError {
  if (error instanceof GanglionError) return error;
  throw error;
}

function toAutoReport(
  setting: Backend | 'auto',
  choice: Choice | GanglionError,
  probed: readonly Probed[],
): AutoReport {
  if (choice instanceof GanglionError) {
    return { backend: setting === 'auto' ? 'cpu' : setting, note: choice.message, computing: null, runs: false };
  }
  const { backend, note, first } = choice;
  if (first !== null) return { backend, note: first, computing: null, runs: true };
  const found = probed.find((report) => report.backend === backend);
  if (!found?.runs) return { backend, note: found?.detail ?? null, computing: null, runs: false };
  return { backend, note, computing: found.detail, runs: true };
}

/**
 * @returns why the kernels cannot be tried, null where they can; and what stands in the way of compiling them
 */
async function lookForKernels(location: KernelsLocation): Promise<Record<'missing' | 'obstacle', string | null>> {
  try {
    const fault = await lookAtKernels(location, false, new AbortController().signal);
    const missing = fault === ABSENT ? 'not compiled yet' : (fault ?? null);
    return { missing, obstacle: null };
  } catch (error) {
    return { missing: messageOf(error), obstacle: messageOf(error) };
  }
}

/** @returns why the CUDA engine cannot be tried, and how to get it; null where it can */
async function lookForCuda(): Promise<string | null> {
  try {
    const first = await lookAtCuda(locateCuda());
    return first === undefined ? null : 'not compiled yet; it is when a run begins with --backend cuda';
  } catch (error) {
    return messageOf(error);
  }
}

/** @returns why TensorFlow cannot be tried, and how to get it; null where it can */
async function lookForTensorflow(location: LibraryLocation, programs: ProgramVersions): Promise<string | null> {
  try {
    if (isTensorflowReady(location)) return null;
    checkPlatform(currentPlatform());
    checkPrograms(programs, location);
    await checkCacheFolder(location.cacheFolder);
    return `not set up; run: ${setupCommand(location)}`;
  } catch (error) {
    return messageOf(error);
  }
}

function readMemoryBytes(): number {
  const limit = process.constrainedMemory(); // 0 or an absurd number where there is no limit
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}
