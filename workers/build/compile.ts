// Compiles Node-API add-ons by g++ and proves that they load: that of tfjs-node against the extracted headers and libraries (about
// 8 s), and that of the kernels (workers/engines/kernels/build.ts). The C++ source of the first comes from the npm package, Node's headers
// from node-api-headers: nothing is downloaded.

import { mkdir, open, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { GanglionError, systemErrorCode } from '../../shared/error.ts';
import { TENSORFLOW_VERSION } from '../engines/tensorflow/library.ts';
import { QUIET_LOG_SOURCE } from '../engines/tensorflow/quiet-log.ts';
import { SHARED_LIBRARIES } from '../engines/tensorflow/wheel.ts';
import { type CommandResult, lastLine, runCommand } from './command.ts';

const require = createRequire(import.meta.url);

/** What {@link runCompiler} makes; paths are absolute. */
interface Compilation {
  /** What it is, for people. */
  readonly what: string;
  readonly addonPath: string;
  /** For the compiler's temporary files, so that an interrupted set-up leaves none in /tmp. */
  readonly temporary: string;
  /** Gets the compiler's output when it fails. */
  readonly logPath: string;
}

/** Inputs and outputs of {@link compileAddon}. */
interface AddonCompilation extends Omit<Compilation, 'what'> {
  /** TensorFlow's headers. */
  readonly headers: string;
  /** Folder of the shared libraries; the add-on looks for them in `lib/` beside itself. */
  readonly libraries: string;
}

/** Compiles tfjs-node's add-on. @throws GanglionError with the first error of the compiler and the path of its full output. */
export async function compileAddon(addon: AddonCompilation, signal: AbortSignal): Promise<void> {
  const { headers, libraries, temporary } = addon;
  const source = dirname(require.resolve('@tensorflow/tfjs-node-gpu/package.json'));
  await mkdir(temporary, { recursive: true });
  const quietLog = join(temporary, 'quiet-log.cc');
  await writeFile(quietLog, QUIET_LOG_SOURCE);
  await runCompiler(
    [
      ...['-std=c++17', '-O2', '-fPIC', '-shared', '-DNAPI_VERSION=8', '-w'],
      ...['-I', source, '-I', headers],
      ...[join(source, 'binding/tfjs_backend.cc'), join(source, 'binding/tfjs_binding.cc'), quietLog],
      // "-l:" takes the exact file name: no development symlinks to make
      ...['-L', libraries, ...SHARED_LIBRARIES.map((name) => `-l:${name}`), '-Wl,-rpath,$ORIGIN/lib', '-ldl'],
    ],
    { ...addon, what: 'the add-on' },
    signal,
  );
}

/**
 * Runs g++ with Node's headers and syncs what it made.
 *
 * @param args flags and sources
 * @throws GanglionError with the first error of the compiler and the path of its full output
 */
export async function runCompiler(args: readonly string[], compilation: Compilation, signal: AbortSignal) {
  const { what, addonPath, temporary, logPath } = compilation;
  const nodeApi = dirname(require.resolve('node-api-headers/package.json'));
  await mkdir(dirname(addonPath), { recursive: true });
  await mkdir(temporary, { recursive: true });
  const env = { ...process.env, TMPDIR: temporary, LC_ALL: 'C' };
  const all = ['-I', join(nodeApi, 'include'), ...args, '-o', addonPath];
  const result = await runCommand('g++', all, { env, signal }).catch((error: unknown) => {
    if (systemErrorCode(error) !== 'ENOENT') throw error;
    const message = `g++ is missing, it compiles ${what}; install it (Debian, Ubuntu: apt install g++)`;
    throw new GanglionError('environment', message, { cause: error });
  });
  if (result.exitCode !== 0) {
    await writeFile(logPath, result.output);
    throw toCompileError(what, result, logPath);
  }
  await rm(logPath, { force: true });
  const addon = await open(addonPath, 'r+');
  try {
    await addon.sync();
  } finally {
    await addon.close();
  }
}

/** The one-line error for a compiler that failed: its first error, and where the rest is. */
export function toCompileError(
  what: string,
  result: Pick<CommandResult, 'exitCode' | 'output'>,
  logPath: string,
): GanglionError {
  const first = result.output.split('\n').find((line) => /error:|undefined reference|cannot find/i.test(line));
  const said = (first ?? lastLine(result.output)).trim();
  return new GanglionError(
    'environment',
    `g++ could not compile ${what} (exit code ${result.exitCode ?? 'none'}: ${said}); its output is in ${logPath}`,
  );
}

/**
 * Loads tfjs-node's add-on in a process of its own.
 *
 * @returns the add-on's `TF_Version`.
 * @throws GanglionError when it does not load, or is not the pinned version.
 */
export async function checkAddon(addonPath: string, signal: AbortSignal): Promise<string> {
  const script = 'process.stdout.write(require(process.argv[1]).TF_Version)';
  const version = await checkInProcess(script, { what: 'the native library', addonPath }, signal);
  if (version !== TENSORFLOW_VERSION)
    throw new GanglionError(
      'environment',
      `the native library is the wrong version: expected ${TENSORFLOW_VERSION}, got ${version}`,
    );
  return version;
}

/**
 * Runs a script in a process of its own, since a library that does not fit the processor kills the process.
 *
 * @param script CommonJS, which finds the add-on's path in `process.argv[1]`
 * @returns what it writes to its standard output
 * @throws GanglionError when it throws or is killed
 */
export async function checkInProcess(
  script: string,
  { what, addonPath }: Pick<Compilation, 'what' | 'addonPath'>,
  signal: AbortSignal,
): Promise<string> {
  const result = await runCommand(process.execPath, ['--input-type=commonjs', '-e', script, addonPath], {
    env: { ...process.env, TF_CPP_MIN_LOG_LEVEL: '3' },
    signal,
  });
  if (result.exitCode === 0) return result.stdout;
  throw new GanglionError(
    'environment',
    `${what} does not load on this machine (${result.killedBy ?? `exit code ${result.exitCode}`}): ${toLoadFailure(result.output)}`,
  );
}

function toLoadFailure(output: string): string {
  const line = output.split('\n').find((text) => /Error:|compiled to use|GLIBC/i.test(text));
  return line?.trim() ?? lastLine(output);
}
