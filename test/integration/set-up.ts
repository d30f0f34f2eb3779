// Set-up as a user meets it: the compiled entry files in processes of their own, on caches and PATHs of their own.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, expect } from 'vitest';
import { locateKernels } from '../../workers/engines/kernels/library.ts';

export const SETUP = resolve('dist/workers/entry/setup-entry.js');
export const DOCTOR = resolve('dist/workers/entry/doctor-entry.js');
export const BACKEND = resolve('dist/workers/entry/backend-entry.js');

/** A temporary folder for all that a test file makes. */
export const root = mkdtempSync(join(tmpdir(), 'ganglion-setup-'));
const children = new Set<ChildProcess>();

afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(root, { recursive: true, force: true, maxRetries: 20, retryDelay: 200 });
});

/** How a process ended. */
export interface Ended {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts a program; `said` resolves when its stderr contains a text, or it has ended. */
export function start(file: string, args: string[], env: NodeJS.ProcessEnv) {
  const child = spawn(file, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  children.add(child);
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (text) => {
    stdout += text;
  });
  child.stderr.on('data', (text) => {
    stderr += text;
  });
  const ended = new Promise<Ended>((done) => {
    child.once('close', (exitCode) => {
      children.delete(child);
      done({ exitCode, stdout, stderr });
    });
  });
  const said = async (text: string) => {
    while (!stderr.includes(text) && child.exitCode === null && child.signalCode === null) await delay(10);
  };
  return { child, ended, said };
}

/** The check before a run. */
export function choose(setting: string, cache: string, env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  return start(process.execPath, [BACKEND, setting], { GANGLION_CACHE: cache, ...env }).ended;
}

/** What the doctor finds. */
export function doctor(cache: string, env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  return start(process.execPath, [DOCTOR, '2', 'auto', '--json'], { GANGLION_CACHE: cache, ...env }).ended;
}

export function newFolder(name: string): string {
  return mkdtempSync(join(root, `${name}-`));
}

/** Everything in a cache folder. */
export function contents(cache: string): string[] {
  return existsSync(cache) ? readdirSync(cache).sort() : [];
}

export function writeScript(path: string, text: string): void {
  writeFileSync(path, `#!/bin/sh\n${text}\n`);
  chmodSync(path, 0o755);
}

const pathOf = (program: string): string =>
  execFileSync('sh', ['-c', `command -v ${program}`], { encoding: 'utf8' }).trim();

/** A PATH with nothing but the named programs. */
export function pathWith(programs: { python3?: 'real' | 'without pip'; gxx?: 'real' }): string {
  const folder = newFolder('path');
  if (programs.python3 !== undefined) {
    const python = execFileSync('python3', ['-c', 'import sys; print(sys.executable)'], { encoding: 'utf8' }).trim();
    // -S leaves site-packages out, where pip lives
    const options = programs.python3 === 'real' ? '' : '-I -S';
    writeScript(join(folder, 'python3'), `exec ${python} ${options} "$@"`);
  }
  if (programs.gxx === 'real') {
    writeScript(join(folder, 'g++'), `exec ${pathOf('g++')} "$@"`);
    for (const name of ['as', 'ld']) symlinkSync(pathOf(name), join(folder, name));
  }
  return folder;
}

/** Holds an end without a result to one line on standard error, after those that say what it was at. */
export function expectOneLine({ exitCode, stdout, stderr }: Ended, message: RegExp): void {
  expect(stdout).toBe('');
  expect(stderr).toMatch(/^((downloading|compiling) [^\n]+\n)?ganglion: [^\n]+\n$/);
  expect(stderr).toMatch(message);
  expect(exitCode).toBe(1);
}

export const kernelsOf = (GANGLION_CACHE: string) => locateKernels({ GANGLION_CACHE });

export function setup(cache: string, env: NodeJS.ProcessEnv = {}) {
  return start(process.execPath, [SETUP], { GANGLION_CACHE: cache, ...env });
}

/** A PATH with a g++ before the others that optimises nothing: it takes a quarter of the time, and its kernels give the same bits. */
export function pathWithQuickCompiler(): string {
  const folder = newFolder('quick-compiler');
  writeScript(join(folder, 'g++'), `exec ${pathOf('g++')} "$@" -O0`);
  return `${folder}:${process.env.PATH}`;
}

/** A PATH with a g++ before the others that does what a script says; `$target` is what it is to make. */
export function pathWithFakeCompiler(script: string): string {
  const folder = newFolder('fake-compiler');
  writeScript(join(folder, 'g++'), `for target do :; done; ${script}`);
  return `${folder}:${process.env.PATH}`;
}

/** What a set-up that failed after its checks leaves: that it has, and why, and the compiler's output. */
export function onlyFailure(cache: string): string[] {
  return [`${basename(kernelsOf(cache).kernelsFolder)}.failed.json`, 'setup-compile-kernels.log'].sort();
}

export const WITHOUT = 'ganglion: training in WebAssembly, about \\d+ times slower than by compiled kernels: ';
export const CPU = { exitCode: 0, stdout: 'cpu\n' };
export const COMPILED = { ...CPU, stderr: 'compiling the kernels\n' };
