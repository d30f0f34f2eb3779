// Runs one external program of the set-up to its end, or kills it with all its descendants when set-up is interrupted.

import { type ChildProcess, spawn } from 'node:child_process';

const KEPT_CHARACTERS = 1_000_000;

/** How a program ended; `output` is its stdout and stderr as they came, `stdout` is stdout alone (the last megabyte of each). */
export interface CommandResult {
  readonly exitCode: number | null;
  readonly killedBy: NodeJS.Signals | null;
  readonly stdout: string;
  readonly output: string;
}

/** Options of {@link runCommand}. */
export interface CommandOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  readonly signal?: AbortSignal;
}

/**
 * Runs `file` with `args` and collects its output; resolves whatever the exit code.
 * The program gets a process group of its own, so that killing it takes g++'s `cc1plus` and pip's children along.
 *
 * @throws the Node system error (`ENOENT`) when it cannot be started; `signal.reason` once it has been killed.
 */
export function runCommand(
  file: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const { env = process.env, signal, cwd } = options;
  signal?.throwIfAborted();
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { env, cwd, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    const kill = () => killGroup(child);
    let stdout = '';
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout = (stdout + text).slice(-KEPT_CHARACTERS);
      output = (output + text).slice(-KEPT_CHARACTERS);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(-KEPT_CHARACTERS);
    });
    signal?.addEventListener('abort', kill, { once: true });
    process.once('exit', kill);
    const settle = () => {
      signal?.removeEventListener('abort', kill);
      process.removeListener('exit', kill);
    };
    child.once('error', (error) => {
      settle();
      reject(error);
    });
    child.once('close', (exitCode, killedBy) => {
      settle();
      if (signal?.aborted) reject(signal.reason);
      else resolve({ exitCode, killedBy, stdout, output });
    });
  });
}

/** The last line of a program's output that says something, trimmed; empty when it said nothing. */
export function lastLine(output: string): string {
  return (
    output
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '')
      .at(-1) ?? ''
  );
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // the group is gone already
  }
}
