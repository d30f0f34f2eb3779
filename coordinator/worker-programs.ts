// Where the compiled entry files of the workers' side lie, and how those that are programs of their own are run: the coordinator
// never imports them.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const entry = (path: string): URL => new URL(`../workers/${path}`, import.meta.url);

/** Entry file of a replica in a thread. */
export const THREAD_ENTRY = entry('thread-entry.js');
const SETUP_ENTRY = entry('native/setup-entry.js');
const DOCTOR_ENTRY = entry('native/doctor-entry.js');

/** Runs an entry file to its end with this process's terminal. @returns its exit code */
async function runEntry(url: URL, args: readonly string[]): Promise<number> {
  const child = spawn(process.execPath, [fileURLToPath(url), ...args], { stdio: 'inherit' });
  // The child cleans up on signals and then ends; this process waits for it.
  const pass = (signal: NodeJS.Signals): void => {
    child.kill(signal);
  };
  process.on('SIGINT', pass);
  process.on('SIGTERM', pass);
  try {
    return await new Promise<number>((resolve, reject) => {
      child.on('error', reject);
      child.on('exit', (code) => resolve(code ?? 1));
    });
  } finally {
    process.off('SIGINT', pass);
    process.off('SIGTERM', pass);
  }
}

/** Installs the native library where it is missing. @returns exit code */
export function runSetup(args: readonly string[] = []): Promise<number> {
  return runEntry(SETUP_ENTRY, args);
}

/** Prints what is there and whether it works. @returns exit code */
export function runDoctor(args: readonly string[]): Promise<number> {
  return runEntry(DOCTOR_ENTRY, args);
}

/** Thrown when a program of the workers' side has failed and said so itself. */
export class AlreadyReported extends Error {
  readonly exitCode: number;

  constructor(exitCode: number) {
    super(`exit code ${exitCode}`);
    this.exitCode = exitCode;
  }
}

/**
 * Makes sure that the native library is there before a run.
 *
 * @throws AlreadyReported when set-up failed; it has printed why
 */
export async function ensureLibrary(): Promise<void> {
  const exitCode = await runSetup(['--quiet-if-ready']);
  if (exitCode !== 0) throw new AlreadyReported(exitCode);
}
