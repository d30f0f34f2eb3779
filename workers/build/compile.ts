// Runs the C++ compiler to make Node-API add-ons, and proves that they load. Node's headers come from the package node-api-headers: nothing is
// downloaded.
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { GanglionError } from '../../shared/error.ts';
import { type CommandResult, lastLine, runCommand } from './command.ts';
import { findCompiler, missingCompiler } from './programs.ts';

const require = createRequire(import.meta.url);

/** What {@link runCompiler} makes; paths are absolute. */
export interface Compilation {
  /** Its name, for people. */
  readonly what: string;
  /** The add-on, or an object file. */
  readonly output: string;
  /** For the compiler's temporary files, so that an interrupted set-up leaves none in /tmp. */
  readonly temporary: string;
  /** Gets the compiler's output when it fails. */
  readonly logPath: string;
}

/**
 * Runs the C++ compiler, g++ or clang++, with Node's headers.
 *
 * @param args flags and sources
 * @throws GanglionError with the first error of the compiler and the path of its full output
 */
export async function runCompiler(args: readonly string[], compilation: Compilation, signal: AbortSignal) {
  const { what, output, temporary, logPath } = compilation;
  const nodeApi = dirname(require.resolve('node-api-headers/package.json'));
  await mkdir(dirname(output), { recursive: true });
  await mkdir(temporary, { recursive: true });
  await rm(logPath, { force: true });
  const env = { ...process.env, TMPDIR: temporary, LC_ALL: 'C' };
  const all = ['-I', join(nodeApi, 'include'), ...args, '-o', output];
  const compiler = findCompiler();
  if (compiler === undefined) throw new GanglionError('environment', missingCompiler(what));
  const result = await runCommand(compiler, all, { env, signal });
  if (result.exitCode !== 0) {
    await writeFile(logPath, result.output);
    throw toCompileError(what, result, logPath, compiler);
  }
}

/** The one-line error for a compiler that failed: its first error, and where the rest is. */
export function toCompileError(
  what: string,
  result: Pick<CommandResult, 'exitCode' | 'output'>,
  logPath: string,
  compiler: string,
): GanglionError {
  const first = result.output.split('\n').find((line) => /error:|undefined reference|cannot find/i.test(line));
  const said = withoutKind(first ?? lastLine(result.output));
  return new GanglionError(
    'environment',
    `${compiler} could not compile ${what} (exit code ${result.exitCode ?? 'none'}: ${said}); its output is in ${logPath}`,
  );
}

/**
 * Runs a script in a process of its own, since a library that does not fit the processor kills the process.
 *
 * @param script CommonJS, which finds the add-on's path in `process.argv[1]`
 * @param what the add-on, for people
 * @returns what it writes to its standard output
 * @throws GanglionError when it throws or is killed
 */
export async function checkInProcess(
  script: string,
  { what, addonPath }: { readonly what: string; readonly addonPath: string },
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
  return withoutKind(line ?? lastLine(output));
}

/** A line of a program's output without the word that it begins with where it is an error, which the reader is told anyway. */
function withoutKind(line: string): string {
  return line.trim().replace(/^(?:\w*error: +)+/i, '');
}
