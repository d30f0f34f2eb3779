// Set-up of the native library as a user meets it: the compiled entry file in a process of its own, on a cache of its own.
// One full install (about 20 s) serves all tests that need a library; the others fail before they copy anything. What concerns sources of
// the kernels that change runs in a copy of the package.

import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { areKernelsReady, locateKernels } from '../../workers/engines/kernels/library.ts';
import { isReady, locateLibrary } from '../../workers/engines/tensorflow/library.ts';
import { WHEEL } from '../../workers/engines/tensorflow/wheel.ts';

const SETUP = resolve('dist/workers/entry/setup-entry.js');
const DOCTOR = resolve('dist/workers/entry/doctor-entry.js');
const BACKEND = resolve('dist/workers/entry/backend-entry.js');
const BINDING = pathToFileURL(resolve('dist/workers/engines/tensorflow/binding.js')).href;

let root: string;
const children = new Set<ChildProcess>();

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'ganglion-setup-'));
});
afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(root, { recursive: true, force: true, maxRetries: 20, retryDelay: 200 });
});

interface Ended {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts a program; `said` resolves when its stderr contains a text, or it has ended. */
function start(file: string, args: string[], env: NodeJS.ProcessEnv) {
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

function setup(cache: string, env: NodeJS.ProcessEnv = {}) {
  return start(process.execPath, [SETUP], { GANGLION_CACHE: cache, ...env });
}

/** The check before a run. */
function choose(setting: string, cache: string, env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  return start(process.execPath, [BACKEND, setting], { GANGLION_CACHE: cache, ...env }).ended;
}

function newFolder(name: string): string {
  return mkdtempSync(join(root, `${name}-`));
}

function writeScript(path: string, text: string): void {
  writeFileSync(path, `#!/bin/sh\n${text}\n`);
  chmodSync(path, 0o755);
}

const realPython = execFileSync('python3', ['-c', 'import sys; print(sys.executable)'], { encoding: 'utf8' }).trim();
const realCompiler = execFileSync('sh', ['-c', 'command -v g++'], { encoding: 'utf8' }).trim();

/** A PATH with nothing but the named programs. */
function pathWith(programs: { python3?: 'real' | 'without pip'; gxx?: 'real' }): string {
  const folder = newFolder('path');
  if (programs.python3 === 'real') symlinkSync(realPython, join(folder, 'python3'));
  // -S leaves site-packages out, where pip lives
  if (programs.python3 === 'without pip') writeScript(join(folder, 'python3'), `exec ${realPython} -I -S "$@"`);
  if (programs.gxx === 'real') {
    writeScript(join(folder, 'g++'), `exec ${realCompiler} "$@"`);
    for (const name of ['as', 'ld']) symlinkSync(`/usr/bin/${name}`, join(folder, name));
  }
  return folder;
}

/** A PATH whose python3 answers for pip's version, and runs `download` (a shell script) for pip's download. */
function pathWithFakePip(download: string): string {
  const folder = newFolder('fake-pip');
  writeScript(
    join(folder, 'python3'),
    `case "$*" in
      --version) echo Python 3.11.0;;
      "-m pip --version") echo pip 23;;
      "-m pip download"*) for target do :; done; ${download};;
    esac`,
  );
  return `${folder}:${process.env.PATH}`;
}

/** Everything in a cache folder: empty after a failed set-up. */
function contents(cache: string): string[] {
  return existsSync(cache) ? readdirSync(cache) : [];
}

/** What a set-up that failed after its checks leaves: that it has, and why. */
function onlyFailure(cache: string): string[] {
  return [`${basename(locateLibrary({ GANGLION_CACHE: cache }).libraryFolder)}.failed.json`];
}

/** A cache folder with the library of another one, by links, and no kernels. */
function withLibraryOf(cache: string): string {
  const other = newFolder('cache');
  const { libraryFolder } = locateLibrary({ GANGLION_CACHE: cache });
  symlinkSync(libraryFolder, join(other, basename(libraryFolder)));
  return other;
}

function expectOneLine({ exitCode, stdout, stderr }: Ended, message: RegExp): void {
  expect(stdout).toBe('');
  expect(stderr).toMatch(/^(downloading TensorFlow \(274 MB\)\n)?ganglion: [^\n]+\n$/);
  expect(stderr).toMatch(message);
  expect(exitCode).toBe(1);
}

describe('a machine that lacks something', () => {
  it.each([
    ['python3', { gxx: 'real' }, /ganglion: python3 is missing.*npm run setup/],
    ['pip', { gxx: 'real', python3: 'without pip' }, /ganglion: pip is missing.*npm run setup/],
    ['g++', { python3: 'real' }, /ganglion: g\+\+ is missing.*npm run setup/],
  ] as const)('names %s in one line', async (_name, programs, message) => {
    const cache = join(root, 'cache-programs');
    expectOneLine(await setup(cache, { PATH: pathWith(programs) }).ended, message);
    expect(contents(cache)).toEqual([]);
  });

  it('says that the package index cannot be reached', async () => {
    const cache = newFolder('cache');
    const ended = await setup(cache, {
      PIP_CONFIG_FILE: '/dev/null',
      PIP_INDEX_URL: 'http://127.0.0.1:9/',
      PIP_EXTRA_INDEX_URL: '',
      PIP_FIND_LINKS: '',
      PIP_RETRIES: '0',
    }).ended;
    expectOneLine(ended, /cannot download tensorflow-cpu==2\.21\.0: .*check the network.*pip said: ERROR: /);
    expect(contents(cache)).toEqual(onlyFailure(cache));
  });

  it('says that the cache folder cannot be written', async () => {
    const file = join(newFolder('cache'), 'file');
    writeFileSync(file, '');
    expectOneLine(await setup(join(file, 'cache')).ended, /cannot write to the cache folder .* set GANGLION_CACHE/);
  });

  // a small file system, in a mount namespace of its own that ends with the process
  const unshare = ['-m', '-rm'].find(
    (flag) => spawnSync('unshare', [flag, 'sh', '-c', 'mount -t tmpfs tmpfs /mnt']).status === 0,
  );
  it.skipIf(unshare === undefined)('says how much disk space is free and needed', async () => {
    const cache = newFolder('cache');
    const script = 'mount -t tmpfs -o size=64m tmpfs "$GANGLION_CACHE" && exec "$0" "$1"';
    const args = [unshare ?? '', 'sh', '-c', script, process.execPath, SETUP];
    const message = new RegExp(`needs 1227 MB in ${cache}, 67 MB are free; .*GANGLION_CACHE`);
    expectOneLine(await start('unshare', args, { GANGLION_CACHE: cache }).ended, message);
  });

  it('refuses a download with the wrong hash, and keeps nothing of it', async () => {
    const cache = newFolder('cache');
    const PATH = pathWithFakePip(`echo wrong > "$target/${WHEEL.fileName}"`);
    const ended = await setup(cache, { PATH }).ended;
    const got = createHash('sha256').update('wrong\n').digest('hex');
    expectOneLine(ended, new RegExp(`wrong SHA-256: expected 2b847d217b02.*, got ${got};.*nothing was installed`));
    expect(contents(cache)).toEqual(onlyFailure(cache));
  });
});

describe('an interrupted set-up', () => {
  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('ends its children and removes its traces on %s, with exit code %i', async (signal, exitCode) => {
    const cache = newFolder('cache');
    const pidFile = join(root, `pid-${signal}`);
    const { child, ended } = setup(cache, { PATH: pathWithFakePip(`echo $$ > ${pidFile}; exec sleep 60`) });
    while (!existsSync(pidFile) || readFileSync(pidFile, 'utf8') === '') await delay(20);
    child.kill(signal);
    expect(await ended).toMatchObject({ exitCode, stdout: '' });
    expect(() => process.kill(Number(readFileSync(pidFile, 'utf8')), 0)).toThrow('ESRCH');
    expect(contents(cache)).toEqual([]);
  });
});

describe('the check before a run', () => {
  const SLOWER = 'ganglion: computing on wasm, about \\d+ times slower than the native library: ';

  it('takes wasm where set-up is not possible, and says why in one line, at every start', async () => {
    const cache = join(root, 'cache-wasm');
    const env = { PATH: pathWith({ gxx: 'real' }) };
    for (let starts = 0; starts < 2; starts++) {
      const line = new RegExp(`^${SLOWER}python3 is missing[^\n]*npm run setup\n$`);
      expect(await choose('auto', cache, env)).toEqual({
        exitCode: 0,
        stdout: 'wasm\n',
        stderr: expect.stringMatching(line),
      });
    }
    expect(contents(cache)).toEqual([]); // nothing to remember: it is seen at once when python3 is there
  });

  it('tries a set-up once, and again when told to or when other programs are there', async () => {
    const cache = newFolder('cache');
    const calls = join(cache, '..', 'pip-calls');
    const download = `echo called >> ${calls}; echo wrong > "$target/${WHEEL.fileName}"`;
    const count = () => readFileSync(calls, 'utf8').split('\n').length - 1;
    const env = { PATH: pathWithFakePip(download) };
    const line = `${SLOWER}the downloaded tensorflow-cpu==2.21.0 has the wrong SHA-256[^\n]*; not tried again until: npm run setup\n`;

    const first = await choose('auto', cache, env);
    expect(first).toMatchObject({ exitCode: 0, stdout: 'wasm\n' });
    expect(first.stderr).toMatch(new RegExp(`^downloading TensorFlow \\(274 MB\\)\n${line}$`));
    expect(count()).toBe(1);

    const second = await choose('auto', cache, env);
    expect(second).toMatchObject({ exitCode: 0, stdout: 'wasm\n' });
    expect(second.stderr).toMatch(new RegExp(`^${line}$`));
    expect(count()).toBe(1);

    expect((await setup(cache, env).ended).exitCode).toBe(1);
    expect(count()).toBe(2);
    await choose('auto', cache, env);
    expect(count()).toBe(2);

    await choose('auto', cache, { PATH: pathWithFakePip(download) });
    expect(count()).toBe(3);

    expect((await setup(cache, env).ended).exitCode).toBe(1);
    const report = await start(process.execPath, [DOCTOR, '2', '--json'], { GANGLION_CACHE: cache, ...env }).ended;
    expect(JSON.parse(report.stdout).auto).toMatchObject({
      backend: 'wasm',
      note: expect.stringMatching(/SHA-256/),
      runs: true,
    });
    expect(contents(cache)).toEqual(onlyFailure(cache));
  });

  it('takes wasm also where the system refuses something in the midst of it', async () => {
    const cache = newFolder('cache');
    const lock = join(cache, 'setup.lock');
    writeFileSync(lock, ''); // no folder, so that it cannot be taken over
    utimesSync(lock, 0, 0);
    const ended = await choose('auto', cache);
    expect(ended).toMatchObject({ exitCode: 0, stdout: 'wasm\n' });
    expect(ended.stderr).toMatch(new RegExp(`^${SLOWER}ENOTDIR[^\n]*\n$`));
  });

  it('tries again at the next start where the disk ran full', async () => {
    const cache = newFolder('cache');
    const full = 'echo "ERROR: [Errno 28] No space left on device"; exit 1';
    const ended = await choose('auto', cache, { PATH: pathWithFakePip(full) });
    expect(ended).toMatchObject({ exitCode: 0, stdout: 'wasm\n' });
    expect(ended.stderr).toMatch(new RegExp(`${SLOWER}not enough disk space[^\n]*another disk\n$`));
    expect(contents(cache)).toEqual([]);
  });

  it('never replaces a backend that is named', async () => {
    const cache = join(root, 'cache-named');
    const ended = await choose('native', cache, { PATH: pathWith({ python3: 'real' }) });
    expectOneLine(ended, /^ganglion: --backend native cannot run here: g\+\+ is missing/);
    expect(contents(cache)).toEqual([]);
  });

  it('passes an interrupt on', async () => {
    const cache = newFolder('cache');
    const PATH = pathWithFakePip('exec sleep 60');
    const { child, ended, said } = start(process.execPath, [BACKEND, 'auto'], { GANGLION_CACHE: cache, PATH });
    await said('downloading');
    child.kill('SIGINT');
    expect(await ended).toMatchObject({ exitCode: 130, stdout: '' });
    expect(contents(cache)).toEqual([]); // nothing failed
  });
});

describe('a library', () => {
  let cache: string;
  beforeAll(() => {
    cache = join(root, 'cache-library');
    mkdirSync(cache);
  });
  const location = () => locateLibrary({ GANGLION_CACHE: cache });
  const doctor = () => start(process.execPath, [DOCTOR, '2', '--json'], { GANGLION_CACHE: cache }).ended;

  it('is installed once by two set-ups started at once, in place of a damaged one, after one was interrupted and one killed', async () => {
    mkdirSync(location().libraryFolder);
    writeFileSync(location().manifestPath, '{"layout":');

    const interrupted = setup(cache);
    await interrupted.said('extracting');
    interrupted.child.kill('SIGINT');
    expect(await interrupted.ended).toMatchObject({ exitCode: 130, stdout: '' });
    const libraryName = basename(location().libraryFolder);
    const kernelsName = basename(locateKernels({ GANGLION_CACHE: cache }).kernelsFolder);
    expect(contents(cache)).toEqual([WHEEL.fileName, libraryName].sort()); // the download is kept

    const killed = setup(cache);
    await killed.said('extracting');
    killed.child.kill('SIGKILL');
    await killed.ended;
    expect(isReady(location())).toBe(false);
    expect(contents(cache).some((name) => name.startsWith('staging-'))).toBe(true);

    const both = await Promise.all([setup(cache).ended, setup(cache).ended]);
    for (const { exitCode, stdout } of both) {
      expect(exitCode).toBe(0);
      expect(stdout).toBe(
        `native library ready: TensorFlow 2.21.0 (cpu) in ${location().libraryFolder}\n` +
          `kernels ready in ${join(cache, kernelsName)}\n`,
      );
    }
    const said = both.map(({ stderr }) => stderr).join('');
    expect(said.match(/compiling the add-on/g)).toHaveLength(1);
    expect(said.match(/compiling the kernels/g)).toHaveLength(1);
    expect(said.match(/waiting for another set-up/g)).toHaveLength(2);
    expect(said).toContain('using the TensorFlow download of an earlier set-up');
    expect(isReady(location())).toBe(true);
    expect(contents(cache)).toEqual([kernelsName, libraryName].sort());
  });

  it('is found ready at once, and silently by the check before a run', async () => {
    for (const setting of ['auto', 'native']) {
      expect(await choose(setting, cache)).toEqual({ exitCode: 0, stdout: 'native\n', stderr: '' });
    }
    // not even python3 or g++ are needed then
    const again = await setup(cache, { PATH: newFolder('path') }).ended;
    expect(again).toMatchObject({ exitCode: 0, stderr: '' });
    expect(again.stdout).toMatch(/^native library ready: /);
  });

  it('computes, also after its folder has been moved', async () => {
    const moved = join(root, 'cache-moved');
    renameSync(cache, moved);
    cache = moved;
    const { exitCode, stdout } = await doctor();
    expect(JSON.parse(stdout)).toMatchObject({
      libraryReady: true,
      tensorflow: '2.21.0',
      device: 'cpu',
      convolution: { ok: true },
      kernels: expect.stringMatching(/^avx(512|2)$/),
      kernelsDetail: locateKernels({ GANGLION_CACHE: cache }).kernelsFolder,
      problems: [],
      auto: { backend: 'native', note: null, runs: true },
    });
    expect(exitCode).toBe(0);
  });

  it('is loaded by one thread after another', async () => {
    const script = `
      import { SHARE_ENV, Worker } from 'node:worker_threads';
      const body = 'import(${JSON.stringify(BINDING)}).then(({ loadBinding }) => {' +
        'const binding = loadBinding(); const id = binding.createTensor([2], binding.TF_FLOAT, Float32Array.of(1, 2));' +
        'console.log(binding.TF_Version, [...binding.tensorDataSync(id)].join(), process.env.TF_NUM_INTRAOP_THREADS);' +
        'binding.deleteTensor(id); })';
      for (let thread = 0; thread < 2; thread++)
        await new Promise((done, fail) => new Worker(body, { eval: true, env: SHARE_ENV }).on('error', fail).on('exit', done));
      console.log(process.env.TF_NUM_INTRAOP_THREADS);`;
    const args = ['--input-type=module', '-e', script];
    const { exitCode, stdout } = await start(process.execPath, args, { GANGLION_CACHE: cache }).ended;
    expect(stdout).toBe('2.21.0 1,2 1\n2.21.0 1,2 1\n1\n');
    expect(exitCode).toBe(0);
  });

  describe('without kernels', () => {
    const WITHOUT =
      "ganglion: computing by libtensorflow alone, about \\d\\.\\d times slower than with Ganglion's kernels: ";
    const NATIVE = { exitCode: 0, stdout: 'native\n' };
    const kernelsOf = (GANGLION_CACHE: string) => locateKernels({ GANGLION_CACHE });

    it('gets them by g++ alone', async () => {
      const bare = withLibraryOf(cache);
      const ended = await choose('auto', bare, { PATH: pathWith({ gxx: 'real' }) });
      expect(ended).toEqual({ ...NATIVE, stderr: 'compiling the kernels\n' });
      const { libraryFolder } = locateLibrary({ GANGLION_CACHE: bare });
      expect(contents(bare)).toEqual(
        [kernelsOf(bare).kernelsFolder, libraryFolder].map((path) => basename(path)).sort(),
      );
      expect(await choose('auto', bare, { PATH: newFolder('path') })).toEqual({ ...NATIVE, stderr: '' });
    });

    it('computes, with one line that says why, also when named; a g++ that comes is seen', async () => {
      const bare = withLibraryOf(cache);
      const PATH = pathWith({});
      const line = new RegExp(`^(compiling the kernels\n)?${WITHOUT}g\\+\\+ is missing[^\n]*npm run setup\n$`);
      for (const setting of ['auto', 'native']) {
        expect(await choose(setting, bare, { PATH })).toEqual({ ...NATIVE, stderr: expect.stringMatching(line) });
      }
      const report = await start(process.execPath, [DOCTOR, '2', '--json'], { GANGLION_CACHE: bare, PATH }).ended;
      expect(JSON.parse(report.stdout)).toMatchObject({
        kernels: null,
        kernelsDetail: expect.stringMatching(/^not built; g\+\+ is missing.*npm run setup$/),
        problems: [],
        auto: { backend: 'native', runs: true },
      });
      expect(await choose('auto', bare, { GANGLION_KERNELS: 'off' })).toEqual({ ...NATIVE, stderr: '' });
      expect(areKernelsReady(kernelsOf(bare))).toBe(false);
      expect(await choose('auto', bare)).toEqual({ ...NATIVE, stderr: 'compiling the kernels\n' });
    });

    it.each(['SIGINT', 'SIGKILL'] as const)('gets them whole after a set-up that ended by %s', async (signal) => {
      const bare = withLibraryOf(cache);
      const folder = newFolder('slow-compiler');
      const pidFile = join(folder, 'pid');
      writeScript(
        join(folder, 'g++'),
        `for target do :; done; echo half > "$target"; echo $$ > ${pidFile}; exec sleep 60`,
      );
      const slow = start(process.execPath, [BACKEND, 'auto'], {
        GANGLION_CACHE: bare,
        PATH: `${folder}:${process.env.PATH}`,
      });
      while (!existsSync(pidFile) || readFileSync(pidFile, 'utf8') === '') await delay(20);
      const compiler = Number(readFileSync(pidFile, 'utf8'));
      slow.child.kill(signal);
      const { exitCode, stdout } = await slow.ended;
      expect({ exitCode, stdout }).toEqual({ exitCode: signal === 'SIGINT' ? 130 : null, stdout: '' });
      expect(areKernelsReady(kernelsOf(bare))).toBe(false);
      if (signal === 'SIGKILL') {
        process.kill(compiler, 'SIGKILL'); // nobody was left to end it
        utimesSync(join(bare, 'setup.lock'), 0, 0); // as if it had been killed long ago
      } else {
        expect(() => process.kill(compiler, 0)).toThrow('ESRCH');
        expect(contents(bare)).toHaveLength(1);
      }
      expect(await choose('auto', bare)).toEqual({ ...NATIVE, stderr: 'compiling the kernels\n' });
      expect(contents(bare)).toHaveLength(2);
    });

    it('gets those of its sources, tries damaged ones once and at set-up, and leaves the others alone', async () => {
      const bare = withLibraryOf(cache);
      const copy = newFolder('package');
      for (const folder of ['workers', 'shared'])
        cpSync(resolve('dist', folder), join(copy, 'dist', folder), { recursive: true });
      mkdirSync(join(copy, 'workers/engines/kernels'), { recursive: true });
      for (const name of readdirSync('workers/engines/kernels').filter((file) => /\.(cc|h)$/.test(file)))
        copyFileSync(join('workers/engines/kernels', name), join(copy, 'workers/engines/kernels', name));
      copyFileSync('package.json', join(copy, 'package.json'));
      symlinkSync(resolve('node_modules'), join(copy, 'node_modules'));
      const source = join(copy, 'workers/engines/kernels/addon.cc');
      const run = (entry: string, ...args: string[]) =>
        start(process.execPath, [join(copy, 'dist/workers/entry', entry), ...args], { GANGLION_CACHE: bare }).ended;

      expect(await run('backend-entry.js', 'auto')).toEqual({ ...NATIVE, stderr: 'compiling the kernels\n' });
      const { addonPath } = kernelsOf(bare); // the same sources, the same key
      const builtMs = statSync(addonPath).mtimeMs;

      appendFileSync(source, 'damaged\n');
      const log = join(bare, 'setup-compile-kernels.log');
      const reason = `g\\+\\+ could not compile Ganglion's kernels \\(exit code 1: [^\n]*addon\\.cc:[^\n]* error: [^\n]*its output is in ${log}`;
      const line = `${WITHOUT}${reason}; not tried again until: npm run setup\n`;
      const first = await run('backend-entry.js', 'auto');
      expect(first).toEqual({ ...NATIVE, stderr: expect.stringMatching(`^compiling the kernels\n${line}$`) });
      expect(readFileSync(log, 'utf8')).toContain('damaged');
      const second = await run('backend-entry.js', 'native');
      expect(second).toEqual({ ...NATIVE, stderr: expect.stringMatching(`^${line}$`) });
      expect(await run('setup-entry.js')).toEqual({
        exitCode: 2,
        stdout: expect.stringMatching(/^native library ready: [^\n]*\n$/),
        stderr: expect.stringMatching(`^compiling the kernels\n${WITHOUT}${reason}\n$`),
      });

      writeFileSync(source, `${readFileSync(source, 'utf8').replace('damaged\n', '')}// mended\n`);
      expect(await run('backend-entry.js', 'auto')).toEqual({ ...NATIVE, stderr: 'compiling the kernels\n' });
      const folders = contents(bare).filter((name) => /^kernels-[0-9a-f]{12}-linux-x64$/.test(name));
      expect(folders).toHaveLength(2);
      expect(statSync(addonPath).mtimeMs).toBe(builtMs);
    });

    it('refuses a wrong GANGLION_KERNELS before anything is made', async () => {
      const bare = withLibraryOf(cache);
      const ended = await choose('auto', bare, { GANGLION_KERNELS: 'fast' });
      const stderr = 'ganglion: GANGLION_KERNELS: expected on, off, avx2, got "fast"\n';
      expect(ended).toEqual({ exitCode: 2, stdout: '', stderr });
      expect(contents(bare)).toHaveLength(1);
    });
  });

  it('is not ready once a file is cut short, and the doctor says what to do', async () => {
    truncateSync(join(location().libraryFolder, 'lib', 'libtensorflow_cc.so.2'), 1000);
    const { exitCode, stdout } = await doctor();
    expect(JSON.parse(stdout)).toMatchObject({
      libraryReady: false,
      convolution: null,
      problems: [expect.stringMatching(/npm run setup$/)],
      auto: { backend: 'native', note: expect.stringContaining('once it is set up'), runs: true },
    });
    expect(exitCode).toBe(0); // training repairs it first
  });
});
