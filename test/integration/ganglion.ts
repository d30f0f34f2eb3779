// Runs the compiled command line as a user does: a process of its own, an environment without npm's variables, real files.
// What it starts it ends, and what it writes it removes, when the test file is done.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, expect } from 'vitest';
import { requireKernels } from '../../workers/engines/kernels/binding.ts';

export const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));
export const MAIN = join(REPOSITORY, 'dist', 'coordinator', 'main.js');
/** Full MNIST, where the checkout has it beside it. */
export const FULL_MNIST = join(REPOSITORY, '..', 'shared', 'mnist');
/** A run whose steps take some 40 ms on one core; no port, so that several go at once. */
export const SMALL = ['--batch', '16', '--shards', '4', '--seed', '7', '--metrics-port', 'off'] as const;

/** What computes where nobody asks for another: the kernels. The tests need them, and so a processor that they are for. */
export const KERNELS = ((): { readonly engine: string; readonly libraryVersion: string } => {
  const { binding, version } = requireKernels();
  return { engine: `kernels-${binding.isa}`, libraryVersion: version };
})();

/** How a process ended. */
export interface Ended {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly seconds: number;
}

/** A process under way. */
export interface Running {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly ended: Promise<Ended>;
  /** Resolves with the match once standard output has it; rejects when the process ends without. */
  said(pattern: RegExp): Promise<RegExpMatchArray>;
}

const children = new Set<ChildProcess>();

/** This process's environment without what npm and vitest have put there. */
export function cleanEnvironment(): NodeJS.ProcessEnv {
  const foreign = /^(npm_|INIT_CWD$|NODE_ENV$|NODE_OPTIONS$|VITEST)/i;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !foreign.test(name)));
}

export interface StartOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Leads a process group, as a shell's foreground job does. */
  readonly detached?: boolean;
}

export function start(file: string, args: readonly string[], options: StartOptions = {}): Running {
  const { cwd = REPOSITORY, env = {}, detached = false } = options;
  const startedMs = performance.now();
  const child = spawn(file, args, {
    cwd,
    env: { ...cleanEnvironment(), ...env },
    detached,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.add(child);
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text) => {
    stderr += text;
  });
  let over = false;
  const ended = new Promise<Ended>((done, fail) => {
    child.once('error', fail);
    child.once('close', (exitCode, signal) => {
      over = true;
      children.delete(child);
      done({ exitCode, signal, stdout, stderr, seconds: (performance.now() - startedMs) / 1000 });
    });
  });
  const said = async (pattern: RegExp): Promise<RegExpMatchArray> => {
    for (;;) {
      const last = over;
      const match = pattern.exec(stdout);
      if (match) return match;
      if (last) throw new Error(`ended without saying ${pattern}:\n${stdout}${stderr}`);
      await delay(5);
    }
  };
  return { child, pid: child.pid ?? 0, ended, said };
}

/** Starts `ganglion ARGS`. */
export function startGanglion(args: readonly string[], options?: StartOptions): Running {
  return start(process.execPath, [MAIN, ...args, ...quietly(args)], options);
}

/** The end of a run is evaluated, which takes a second: most tests ask for something else. */
function quietly(args: readonly string[]): readonly string[] {
  const isTraining = args[0] === 'train' && args.includes('--run') && !args.some((arg) => arg.startsWith('--evaluate'));
  return isTraining ? ['--evaluate-every', 'off'] : [];
}

/** Runs `ganglion ARGS` to its end. */
export function ganglion(args: readonly string[], options?: StartOptions): Promise<Ended> {
  return startGanglion(args, options).ended;
}

/** Runs `ganglion ARGS`, which must succeed without a word on standard error. */
export async function succeed(args: readonly string[], options?: StartOptions): Promise<string> {
  const { exitCode, stdout, stderr } = await ganglion(args, options);
  expect({ args, exitCode, stderr }).toEqual({ args, exitCode: 0, stderr: '' });
  return stdout;
}

/** A function that names paths in a temporary folder, which goes when the test file is done. */
export function scratchFolder(name: string): (...parts: string[]) => string {
  const root = mkdtempSync(join(tmpdir(), `ganglion-${name}-`));
  afterAll(() => {
    for (const child of children) child.kill('SIGKILL');
    rmSync(root, { recursive: true, force: true, maxRetries: 20, retryDelay: 200 });
  });
  return (...parts) => join(root, ...parts);
}

/** What the log says of a checkpoint of another backend. */
export const CHANGED = /^step (\d+) was computed on (\w+), from here it is (\w+): the bits will differ from [^\n]+$/m;

/** config.json of a run. */
export const configOf = (run: string): Record<string, unknown> =>
  JSON.parse(readFileSync(join(run, 'config.json'), 'utf8'));

/** summary.json of a run. */
export function summaryOf(run: string): Record<string, unknown> {
  return JSON.parse(readFileSync(join(run, 'summary.json'), 'utf8'));
}

/** Records of metrics.jsonl; every line must be whole. */
export function recordsOf(run: string): Record<string, unknown>[] {
  const text = readFileSync(join(run, 'metrics.jsonl'), 'utf8');
  expect(text === '' || text.endsWith('\n')).toBe(true);
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line));
}

/** Steps of metrics.jsonl in the order of its lines. */
export function stepsOf(run: string): unknown[] {
  return recordsOf(run).map(({ step }) => step);
}

/** `1, 2, .. last`. */
export function oneTo(last: number): number[] {
  return Array.from({ length: last }, (_, i) => i + 1);
}

export function checkpointPath(run: string, step: number): string {
  return join(run, 'checkpoints', `step-${String(step).padStart(8, '0')}.safetensors`);
}

/** Waits until the log of a run has a step, which must come while the process runs. */
export async function reached(running: Running, run: string, step: number): Promise<void> {
  const path = join(run, 'metrics.jsonl');
  const { child } = running;
  while (!existsSync(path) || !readFileSync(path, 'utf8').includes(`{"step":${step},`)) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`ended before step ${step}`);
    await delay(5);
  }
}

/** Every file below a folder, by relative path. */
export function filesBelow(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();
}

/** Content and time of every file below a folder: equal exactly when nothing was written. */
export function snapshot(folder: string): Record<string, string> {
  return Object.fromEntries(
    filesBelow(folder).map((name) => {
      const path = join(folder, name);
      const sha256 = createHash('sha256').update(readFileSync(path)).digest('hex');
      return [name, `${sha256} ${statSync(path).mtimeMs}`];
    }),
  );
}

/** Fails when a run folder holds a temporary file, half a JSON document, half a record or a checkpoint that does not verify. */
export async function expectWhole(run: string): Promise<void> {
  const files = filesBelow(run);
  expect(files.filter((name) => name.endsWith('.tmp'))).toEqual([]);
  for (const name of files.filter((name) => name.endsWith('.json'))) {
    expect(() => JSON.parse(readFileSync(join(run, name), 'utf8')), name).not.toThrow();
  }
  if (files.includes('metrics.jsonl')) recordsOf(run);
  if (files.some((name) => name.endsWith('.safetensors'))) {
    expect(await succeed(['inspect', run])).not.toContain('INVALID');
  }
}

/** Whether a process is there and has not ended; a frozen one is. */
export function isRunning(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) [ZX] /s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

/** Processes whose command line contains a text. */
export function processesWith(text: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(join('/proc', pid, 'cmdline'), 'utf8').includes(text);
      } catch {
        return false; // ended meanwhile
      }
    })
    .map(Number);
}

/** Whether a program answers. */
export function isInstalled(program: string, ...args: string[]): boolean {
  try {
    execFileSync(program, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** A port that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
