// Where the compiled entry files of the workers' side lie, and how those that are programs of their own are run: the coordinator
// never imports them.
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';

const entry = (path: string): URL => new URL(`../workers/${path}`, import.meta.url);

/** Entry file of a replica in a thread. */
export const THREAD_ENTRY = entry('thread-entry.js');
/** Entry file of a replica in a process. */
export const PROCESS_ENTRY = entry('process-entry.js');
const SETUP_ENTRY = entry('native/setup-entry.js');
const DOCTOR_ENTRY = entry('native/doctor-entry.js');

/** What a shell reports for a process ended by a signal. */
const exitCodeOf = (signal: NodeJS.Signals): number => 128 + constants.signals[signal];

/** Runs an entry file to its end with this process's terminal. @returns its exit code, or that of the signal that ended it */
async function runEntry(url: URL, args: readonly string[]): Promise<number> {
  // The child cleans up on signals and then ends; this process waits for it.
  let passed: NodeJS.Signals | undefined;
  const pass = (signal: NodeJS.Signals): void => {
    passed = signal;
    child.kill(signal);
  };
  process.on('SIGINT', pass);
  process.on('SIGTERM', pass);
  const child = spawn(process.execPath, [fileURLToPath(url), ...args], { stdio: 'inherit' });
  try {
    return await new Promise<number>((resolve, reject) => {
      child.on('error', reject);
      child.on('exit', (code, signal) => {
        const ended = signal ?? (code === 0 ? passed : undefined); // it may have been done when the signal came
        resolve(ended === undefined ? (code ?? 1) : exitCodeOf(ended));
      });
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
