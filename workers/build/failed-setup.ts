// Remembers, beside the folder of what it was to build, that set-up has failed: `--backend auto` does not spend seconds on it at every
// start. Only what takes time is remembered. Platform, processor, disk space and programs are looked at each time, in milliseconds.

import { rmSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { readCacheFile } from './cache-file.ts';
import { findProgram } from './programs.ts';

/** Content of the file. */
const failedSetup = z.object({
  reason: z.string(),
  /** The programs that it used; null where one was missing. */
  programs: z.record(z.string(), z.string().nullable()),
});

/** Programs that another result of set-up can come from. */
const PROGRAMS = ['python3', 'g++', 'clang++', 'nvcc'] as const;

/** Of the file, which has a few hundred. */
const MOST_BYTES = 2 ** 16;

/** Keyed like the folder: another version of Ganglion tries for itself. */
const pathOf = (folder: string): string => `${folder}.failed.json`;

/** Writes down why set-up could not build `folder`. A cache folder that cannot be written remembers nothing. */
export function rememberFailure(folder: string, reason: string, env = process.env): void {
  try {
    rmSync(pathOf(folder), { force: true }); // it may be a pipe, which nobody reads
    writeFileSync(pathOf(folder), `${JSON.stringify({ reason, programs: findPrograms(env) }, null, 2)}\n`, {
      flag: 'wx',
    });
  } catch {
    // the next start tries again
  }
}

/** Why the newest set-up could not build `folder`; undefined when none has failed, or when other programs are on the PATH now. */
export function recallFailure(folder: string, env = process.env): string | undefined {
  try {
    const { reason, programs } = failedSetup.parse(JSON.parse(readCacheFile(pathOf(folder), MOST_BYTES).toString()));
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
