// Remembers, beside the folder of what it was to build, that set-up has failed: `--backend auto` does not spend minutes on it at every
// start. Only what takes time is remembered. Platform and disk space are looked at each time, in a fraction of a second, and so are the
// programs that the library needs.

import { accessSync, constants, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { z } from 'zod';

/** Content of the file. */
const failedSetup = z.object({
  reason: z.string(),
  /** The programs that it used; null where one was missing. */
  programs: z.record(z.string(), z.string().nullable()),
});

/** Programs that another result of set-up can come from. */
const PROGRAMS = ['python3', 'g++'] as const;

/** Keyed like the folder: another version of Ganglion tries for itself. */
const pathOf = (folder: string): string => `${folder}.failed.json`;

/** Writes down why set-up could not build `folder`. A cache folder that cannot be written remembers nothing. */
export function rememberFailure(folder: string, reason: string, env = process.env): void {
  try {
    writeFileSync(pathOf(folder), `${JSON.stringify({ reason, programs: findPrograms(env) }, null, 2)}\n`);
  } catch {
    // the next start tries again
  }
}

/** Why the newest set-up could not build `folder`; undefined when none has failed, or when other programs are on the PATH now. */
export function recallFailure(folder: string, env = process.env): string | undefined {
  try {
    const { reason, programs } = failedSetup.parse(JSON.parse(readFileSync(pathOf(folder), 'utf8')));
    const found = findPrograms(env);
    return PROGRAMS.every((name) => programs[name] === found[name]) ? reason : undefined;
  } catch {
    return undefined; // absent or damaged
  }
}

export function forgetFailure(folder: string): void {
  rmSync(pathOf(folder), { force: true });
}

function findPrograms(env: NodeJS.ProcessEnv): Record<string, string | null> {
  return Object.fromEntries(PROGRAMS.map((name) => [name, findProgram(name, env)]));
}

/** Real path of a program on the PATH: that of g++ names its version on Debian. */
function findProgram(name: string, env: NodeJS.ProcessEnv): string | null {
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
