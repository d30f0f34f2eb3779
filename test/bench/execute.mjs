// Runs the programs that a benchmark compares, and says how busy the machine is beside them.
import { spawn } from 'node:child_process';
import { cpus } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const TIMEOUT_MS = 30 * 60_000;

/** An interrupt ends the running program, so that its files are removed. */
export const interrupt = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => interrupt.abort());

/** @param {string} text */
export const lastLine = (text) => text.trimEnd().split('\n').at(-1)?.trim() ?? '';

/**
 * The line of a program's complaints that says most: the last error, as Node.js ends with its own version.
 *
 * @param {string} text
 */
const lastError = (text) => lastLine(text.match(/^.*\w*Error\b.*: .*$/gm)?.at(-1) ?? text);

/**
 * Runs a program to its end.
 *
 * @param {string} command
 * @param {readonly string[]} parameters
 * @returns {Promise<string>} standard output; rejects with the last error on standard error
 */
export function execute(command, parameters) {
  return new Promise((fulfil, reject) => {
    const child = spawn(command, parameters, {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: TIMEOUT_MS,
      signal: interrupt.signal,
    });
    let output = '';
    let complaint = '';
    child.stdout.setEncoding('utf8').on('data', (/** @type {string} */ text) => {
      output += text;
    });
    child.stderr.setEncoding('utf8').on('data', (/** @type {string} */ text) => {
      complaint = (complaint + text).slice(-4096);
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (code === 0) fulfil(output);
      else reject(new Error(`${signal ?? `exit status ${code}`}: ${lastError(complaint) || lastLine(output)}`));
    });
  });
}

/** What share of the processor is in use, 0 to 1, over one second. */
export async function busyShare() {
  const sum = () =>
    cpus().reduce(
      ({ idle, all }, { times }) => ({
        idle: idle + times.idle,
        all: all + times.user + times.nice + times.sys + times.idle + times.irq,
      }),
      { idle: 0, all: 0 },
    );
  const before = sum();
  await sleep(1000);
  const after = sum();
  return 1 - (after.idle - before.idle) / Math.max(1, after.all - before.all);
}
