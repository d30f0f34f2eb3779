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

/** Asks `python3`, its `pip` module and `g++` for their versions, side by side (about 0.3 s, most of it pip's). */
export async function readProgramVersions(signal?: AbortSignal): Promise<ProgramVersions> {
  const [python, pip, gxx] = await Promise.all([
    firstLine('python3', ['--version'], signal),
    firstLine('python3', ['-m', 'pip', '--version'], signal),
    firstLine('g++', ['--version'], signal),
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
