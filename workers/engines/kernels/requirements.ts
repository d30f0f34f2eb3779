// What a machine must have for the kernels, looked at in milliseconds before anything is compiled.
import { readFileSync } from 'node:fs';
import { GanglionError } from '../../../shared/error.ts';
import { findCompiler, missingCompiler } from '../../build/programs.ts';
import { NO_AVX2, readKernelsSetting, SWITCHED_OFF } from './binding.ts';

/** Kind of machine. */
export interface Machine {
  readonly platform: string;
  readonly arch: string;
  /** Content of /proc/cpuinfo, where it can be read. */
  readonly cpuinfo: string | undefined;
}

/** The machine that this process runs on. */
export function currentMachine(): Machine {
  const { platform, arch } = process;
  try {
    return { platform, arch, cpuinfo: readFileSync('/proc/cpuinfo', 'utf8') };
  } catch {
    return { platform, arch, cpuinfo: undefined }; // the check after the build will tell
  }
}

/** @throws GanglionError `environment` where the kernels cannot run, or are switched off; `usage` for a wrong `GANGLION_KERNELS` */
export function checkMachine({ platform, arch, cpuinfo }: Machine, env: NodeJS.ProcessEnv = process.env): void {
  const fail = (reason: string): never => {
    throw new GanglionError('environment', reason);
  };
  if (readKernelsSetting(env) === 'off') fail(SWITCHED_OFF);
  const isKnown = arch === 'x64' || arch === 'arm64';
  const isUnix = platform === 'linux' || platform === 'darwin';
  if (!isUnix || !isKnown) fail(`the kernels need Linux or macOS on x64 or arm64, this is ${platform} ${arch}`);
  if (arch === 'arm64') return; // which always has NEON
  const flags = /^flags\s*:(.*)$/m.exec(cpuinfo ?? '')?.[1]?.split(' ');
  if (flags && !(flags.includes('avx2') && flags.includes('fma'))) fail(NO_AVX2);
}

/** @throws GanglionError `environment` where there is no compiler */
export function checkCompiler(env: NodeJS.ProcessEnv = process.env): void {
  if (findCompiler(env) !== undefined) return;
  throw new GanglionError('environment', `${missingCompiler('the kernels')}, then run: npm run setup`);
}
