// Compiles the Node-API add-on of tfjs-node against the extracted headers and libraries (about 8 s), and proves that it
// loads. Its C++ source comes from the npm package, Node's headers from node-api-headers: nothing is downloaded.

import { mkdir, open, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { GanglionError } from '../../shared/error.ts';
import { type CommandResult, lastLine, runCommand } from './command.ts';
import { TENSORFLOW_VERSION } from './library.ts';
import { QUIET_LOG_SOURCE } from './quiet-log.ts';
import { SHARED_LIBRARIES } from './wheel.ts';

/** Inputs and outputs of {@link compileAddon}, as absolute paths. */
interface CompilePaths {
  /** TensorFlow's headers. */
  readonly headers: string;
  /** Folder of the shared libraries; the add-on looks for them in `lib/` beside itself. */
  readonly libraries: string;
  readonly addonPath: string;
  /** For the compiler's temporary files, so that an interrupted set-up leaves none in /tmp. */
  readonly temporary: string;
  /** Gets the compiler's output when it fails. */
  readonly logPath: string;
}

/** Compiles the add-on. @throws GanglionError with the first error of the compiler and the path of its full output. */
export async function compileAddon(paths: CompilePaths, signal: AbortSignal): Promise<void> {
  const require = createRequire(import.meta.url);
  const source = dirname(require.resolve('@tensorflow/tfjs-node-gpu/package.json'));
  const nodeApi = dirname(require.resolve('node-api-headers/package.json'));
  await mkdir(paths.temporary, { recursive: true });
  const quietLog = join(paths.temporary, 'quiet-log.cc');
  await writeFile(quietLog, QUIET_LOG_SOURCE);
  const result = await runCommand(
    'g++',
    [
      ...['-std=c++17', '-O2', '-fPIC', '-shared', '-DNAPI_VERSION=8', '-w'],
      ...['-I', join(nodeApi, 'include'), '-I', source, '-I', paths.headers],
      ...[join(source, 'binding/tfjs_backend.cc'), join(source, 'binding/tfjs_binding.cc'), quietLog],
      // "-l:" takes the exact file name: no development symlinks to make
      ...['-L', paths.libraries, ...SHARED_LIBRARIES.map((name) => `-l:${name}`), '-Wl,-rpath,$ORIGIN/lib', '-ldl'],
      ...['-o', paths.addonPath],
    ],
    { env: { ...process.env, TMPDIR: paths.temporary, LC_ALL: 'C' }, signal },
  );
  if (result.exitCode !== 0) {
    await writeFile(paths.logPath, result.output);
    throw toCompileError(result, paths.logPath);
  }
  await rm(paths.logPath, { force: true });
  const addon = await open(paths.addonPath, 'r+');
  try {
    await addon.sync();
  } finally {
    await addon.close();
  }
}

/** The one-line error for a compiler that failed: its first error, and where the rest is. */
export function toCompileError(result: Pick<CommandResult, 'exitCode' | 'output'>, logPath: string): GanglionError {
  const first = result.output.split('\n').find((line) => /error:|undefined reference|cannot find/i.test(line));
  const said = (first ?? lastLine(result.output)).trim();
  return new GanglionError(
    'environment',
    `g++ could not compile the add-on (exit code ${result.exitCode ?? 'none'}: ${said}); its output is in ${logPath}`,
  );
}

/**
 * Loads the add-on in a process of its own, since a library that does not fit the processor kills the process.
 *
 * @returns the add-on's `TF_Version`.
 * @throws GanglionError when it does not load, or is not the pinned version.
 */
export async function checkAddon(addonPath: string, signal: AbortSignal): Promise<string> {
  const script = 'process.stdout.write(require(process.argv[1]).TF_Version)';
  const result = await runCommand(process.execPath, ['--input-type=commonjs', '-e', script, addonPath], {
    env: { ...process.env, TF_CPP_MIN_LOG_LEVEL: '3' },
    signal,
  });
  if (result.exitCode !== 0)
    throw new GanglionError(
      'environment',
      `the native library does not load on this machine (${result.killedBy ?? `exit code ${result.exitCode}`}): ${toLoadFailure(result.output)}`,
    );
  if (result.stdout !== TENSORFLOW_VERSION)
    throw new GanglionError(
      'environment',
      `the native library is the wrong version: expected ${TENSORFLOW_VERSION}, got ${result.stdout}`,
    );
  return result.stdout;
}

function toLoadFailure(output: string): string {
  const line = output.split('\n').find((text) => /Error:|compiled to use|GLIBC/i.test(text));
  return line?.trim() ?? lastLine(output);
}
