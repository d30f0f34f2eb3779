// Runs a program of the workers' side without a terminal: nothing is printed, and no signal is listened to.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { GanglionError } from '../../shared/error.ts';
import { EXIT_CODES } from '../../shared/exit-codes.ts';
import type { RunProgram } from '../run/resolve-devices.ts';

/**
 * @param onNotice receives what the program says on standard error, a line at a time, when it succeeds
 * @returns runs a program; fails with a GanglionError, `usage` or `environment`, that has the program's last line
 */
export function quietProgram(onNotice: (message: string) => void): RunProgram {
  return async (entry, args) => {
    const child = spawn(process.execPath, [fileURLToPath(entry), ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    const [output, said] = [textOf(child.stdout), textOf(child.stderr)];
    const exitCode = await new Promise<number | null>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', resolve);
    });
    const lines = said()
      .split('\n')
      .map((line) => line.replace(/^ganglion: /, '').trim())
      .filter((line) => line !== '');
    if (exitCode !== 0) {
      const code = exitCode === EXIT_CODES.mistake ? 'usage' : 'environment';
      throw new GanglionError(code, lines.at(-1) ?? `${fileURLToPath(entry)}: exit code ${exitCode}`);
    }
    for (const line of lines) onNotice(line);
    return output();
  };
}

/** Collects a stream. @returns its text so far */
function textOf(stream: NodeJS.ReadableStream): () => string {
  let text = '';
  stream.setEncoding('utf8').on('data', (piece) => {
    text += piece;
  });
  return () => text;
}
