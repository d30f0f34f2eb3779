// Looks at the machine and the native library, changes nothing, and says what stands in the way of training.

import { arch, availableParallelism, cpus, platform, totalmem } from 'node:os';
import { messageOf } from '../../shared/error.ts';
import { loadBinding } from './binding.ts';
import { checkAddon } from './compile.ts';
import { type ConvolutionReport, measureConvolution } from './convolution.ts';
import { isReady, type LibraryLocation } from './library.ts';
import { checkPlatform, checkPrograms, currentPlatform } from './preflight.ts';
import { type ProgramVersions, readProgramVersions } from './programs.ts';

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
  readonly python: string | null;
  readonly pip: string | null;
  readonly gxx: string | null;
  /** One line each; empty when training can start. */
  readonly problems: readonly string[];
}

/**
 * Examines the machine; uses the library at `location` if it is ready, and never installs one.
 *
 * @param physicalCores as the coordinator counted them
 */
export async function examine(location: LibraryLocation, physicalCores: number): Promise<DoctorReport> {
  const programs = await readProgramVersions();
  const libraryReady = isReady(location);
  const library = libraryReady ? await tryLibrary(location) : NO_LIBRARY;
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
    python: programs.python ?? null,
    pip: programs.pip ?? null,
    gxx: programs.gxx ?? null,
    problems: libraryReady ? library.problems : whyNotReady(location, programs),
  };
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

function whyNotReady(location: LibraryLocation, programs: ProgramVersions): string[] {
  const checks = [() => checkPlatform(currentPlatform()), () => checkPrograms(programs)];
  return [
    `no native library in ${location.libraryFolder}; run: npm run setup`,
    ...checks.flatMap((check) => {
      try {
        check();
        return [];
      } catch (error) {
        return [messageOf(error)];
      }
    }),
  ];
}

function readMemoryBytes(): number {
  const limit = process.constrainedMemory(); // 0 or an absurd number where there is no limit
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}
