// What must be true before set-up starts a download of 274 MB. Each check throws one line that says what is missing and
// how to get it.

import { access, constants, mkdir, statfs } from 'node:fs/promises';
import { GanglionError, messageOf, systemErrorCode } from '../../shared/error.ts';
import { LIBRARY_BYTES, WHEEL } from '../engines/tensorflow/wheel.ts';
import type { ProgramVersions } from './programs.ts';

/** Headers, the compiler's temporary files and file system overhead. */
const SPARE_BYTES = 100_000_000;

/** Kind of machine, as {@link checkPlatform} needs it. */
export interface Platform {
  readonly platform: string;
  readonly arch: string;
  /** Version of the running glibc; undefined with another C library, such as musl. */
  readonly glibc: string | undefined;
}

/** The machine this process runs on. */
export function currentPlatform(): Platform {
  const report: unknown = process.report.getReport();
  const header = typeof report === 'object' && report !== null && 'header' in report ? report.header : undefined;
  const glibc =
    typeof header === 'object' && header !== null && 'glibcVersionRuntime' in header
      ? header.glibcVersionRuntime
      : undefined;
  return {
    platform: process.platform,
    arch: process.arch,
    glibc: typeof glibc === 'string' ? glibc : undefined,
  };
}

/** @throws GanglionError unless this is Linux x64 with glibc 2.27 or newer, the only system the wheel is built for. */
export function checkPlatform({ platform, arch, glibc }: Platform): void {
  if (platform !== 'linux' || arch !== 'x64')
    throw new GanglionError('environment', `the native library needs linux x64, this is ${platform} ${arch}`);
  if (glibc === undefined)
    throw new GanglionError(
      'environment',
      'the native library needs glibc 2.27 or newer, this system has another C library; use a Debian or Ubuntu based image',
    );
  const [major = 0, minor = 0] = glibc.split('.').map(Number);
  if (major < 2 || (major === 2 && minor < 27))
    throw new GanglionError('environment', `the native library needs glibc 2.27 or newer, this system has ${glibc}`);
}

/** @throws GanglionError naming the first program that is missing. */
export function checkPrograms({ python, pip, gxx }: ProgramVersions): void {
  const then = 'then run: npm run setup';
  if (python === undefined)
    throw new GanglionError(
      'environment',
      `python3 is missing, its pip downloads the native library; install it (Debian, Ubuntu: apt install python3 python3-pip), ${then}`,
    );
  if (pip === undefined)
    throw new GanglionError(
      'environment',
      `pip is missing ("python3 -m pip --version" fails), it downloads the native library; install it (Debian, Ubuntu: apt install python3-pip), ${then}`,
    );
  if (gxx === undefined)
    throw new GanglionError(
      'environment',
      `g++ is missing, it compiles the add-on of the native library; install it (Debian, Ubuntu: apt install g++), ${then}`,
    );
}

/** Makes the cache folder. @throws GanglionError when it cannot be made or written. */
export async function prepareCacheFolder(cacheFolder: string): Promise<void> {
  try {
    await mkdir(cacheFolder, { recursive: true });
    await access(cacheFolder, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new GanglionError(
      'environment',
      `cannot write to the cache folder ${cacheFolder} (${systemErrorCode(error) ?? messageOf(error)}); set GANGLION_CACHE to a folder you may write`,
      { cause: error },
    );
  }
}

/** Bytes that the library needs at the peak of its set-up: pip holds the wheel twice for a moment, later the wheel lies beside the library. */
export function neededBytes(haveWheel: boolean): number {
  return (haveWheel ? 0 : WHEEL.bytes) + LIBRARY_BYTES + SPARE_BYTES;
}

/** @throws GanglionError when the cache folder's file system has less free than `needed` bytes. */
export async function checkDisk(cacheFolder: string, needed: number): Promise<void> {
  const { bavail, bsize } = await statfs(cacheFolder);
  if (bavail * bsize < needed) throw diskError(cacheFolder, bavail * bsize, needed);
}

const NOT_ENOUGH = 'not enough disk space';

/** Whether it is an error of {@link diskError}. */
export function isDiskError({ message }: GanglionError): boolean {
  return message.startsWith(NOT_ENOUGH);
}

/** The error for a disk that is, or ran, full; `freeBytes` is undefined when that is no longer known. */
export function diskError(cacheFolder: string, freeBytes: number | undefined, needed: number): GanglionError {
  const found = freeBytes === undefined ? 'the disk ran full' : `${toMegabytes(freeBytes)} MB are free`;
  return new GanglionError(
    'environment',
    `${NOT_ENOUGH}: set-up needs ${toMegabytes(needed)} MB in ${cacheFolder}, ${found}; free some, or set GANGLION_CACHE to a folder on another disk`,
  );
}

/** Whole megabytes (10^6 bytes). */
function toMegabytes(bytes: number): number {
  return Math.round(bytes / 1e6);
}
