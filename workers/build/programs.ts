// The external programs that set-up needs: where they are, and their versions.
import { accessSync, constants, realpathSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { runCommand } from './command.ts';

/** Version lines of the programs; undefined where one is missing or does not work. */
export interface ProgramVersions {
  readonly python: string | undefined;
  readonly pip: string | undefined;
  readonly gxx: string | undefined;
}

/** Real path of a program on the PATH, null where it is missing: that of g++ names its version on Debian. */
export function findProgram(name: string, env: NodeJS.ProcessEnv = process.env): string | null {
  for (const folder of (env.PATH ?? '').split(delimiter)) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return realpathSync(path);
    } catch {
      // not in this folder
    }
  }
  return null;
}

/** What compiles C++, the first that is there; macOS has clang under both names. */
const COMPILERS = ['g++', 'clang++'] as const;

/** Name of the C++ compiler on the PATH; undefined where there is none. */
export function findCompiler(env: NodeJS.ProcessEnv = process.env): (typeof COMPILERS)[number] | undefined {
  return COMPILERS.find((name) => findProgram(name, env) !== null);
}

/** What to say where there is no compiler. @param what it compiles, for people */
export function missingCompiler(what: string): string {
  const how = process.platform === 'darwin' ? 'macOS: xcode-select --install' : 'Debian, Ubuntu: apt install g++';
  return `g++ is missing, and so is clang++; one of them compiles ${what}; install it (${how})`;
}

/** Asks `python3`, its `pip` module and the C++ compiler for their versions, side by side (about 0.3 s, most of it pip's). */
export async function readProgramVersions(signal?: AbortSignal): Promise<ProgramVersions> {
  const [python, pip, gxx] = await Promise.all([
    firstLine('python3', ['--version'], signal),
    firstLine('python3', ['-m', 'pip', '--version'], signal),
    firstLine(findCompiler() ?? 'g++', ['--version'], signal),
  ]);
  return { python, pip, gxx };
}

async function firstLine(file: string, args: string[], signal?: AbortSignal): Promise<string | undefined> {
  try {
    const result = await runCommand(file, args, signal === undefined ? {} : { signal });
    return result.exitCode === 0 ? (result.stdout.trim().split('\n')[0] ?? '') : undefined;
  } catch (error) {
    if (signal?.aborted) throw error;
    return undefined; // not on the PATH, or not executable
  }
}
