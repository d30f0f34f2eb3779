// What must be true before the set-up of TensorFlow starts a download of 274 MB or more. Each check throws one line that says what is missing and
// how to get it.
import { GanglionError } from '../../../shared/error.ts';
import type { ProgramVersions } from '../../build/programs.ts';
import { type LibraryLocation, setupCommand } from './library.ts';

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
    throw new GanglionError('environment', `TensorFlow needs linux x64, this is ${platform} ${arch}`);
  if (glibc === undefined)
    throw new GanglionError(
      'environment',
      'TensorFlow needs glibc 2.27 or newer, this system has another C library; use a Debian or Ubuntu based image',
    );
  const [major = 0, minor = 0] = glibc.split('.').map(Number);
  if (major < 2 || (major === 2 && minor < 27))
    throw new GanglionError('environment', `TensorFlow needs glibc 2.27 or newer, this system has ${glibc}`);
}

/** @throws GanglionError naming the first program that is missing. */
export function checkPrograms({ python, pip, gxx }: ProgramVersions, library: Pick<LibraryLocation, 'variant'>): void {
  const then = `then run: ${setupCommand(library)}`;
  if (python === undefined)
    throw new GanglionError(
      'environment',
      `python3 is missing, its pip downloads TensorFlow; install it (Debian, Ubuntu: apt install python3 python3-pip), ${then}`,
    );
  if (pip === undefined)
    throw new GanglionError(
      'environment',
      `pip is missing ("python3 -m pip --version" fails), it downloads TensorFlow; install it (Debian, Ubuntu: apt install python3-pip), ${then}`,
    );
  if (gxx === undefined)
    throw new GanglionError(
      'environment',
      `g++ is missing, it compiles the add-on of TensorFlow; install it (Debian, Ubuntu: apt install g++), ${then}`,
    );
}
