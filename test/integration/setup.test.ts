// Set-up of the kernels: what a machine with a C++ compiler and nothing else does before its first step, and what one without does.
import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { sealFolder } from '../../workers/build/sealed-folder.ts';
import { faultOfKernels, locateKernels } from '../../workers/engines/kernels/library.ts';
import {
  BACKEND,
  choose,
  contents,
  doctor,
  type Ended,
  expectOneLine,
  newFolder,
  pathWith,
  root,
  SETUP,
  start,
  writeScript,
} from './set-up.ts';

const kernelsOf = (GANGLION_CACHE: string) => locateKernels({ GANGLION_CACHE });

function setup(cache: string, env: NodeJS.ProcessEnv = {}) {
  return start(process.execPath, [SETUP], { GANGLION_CACHE: cache, ...env });
}

/** A PATH with a g++ before the others that does what a script says; `$target` is what it is to make. */
function pathWithFakeCompiler(script: string): string {
  const folder = newFolder('fake-compiler');
  writeScript(join(folder, 'g++'), `for target do :; done; ${script}`);
  return `${folder}:${process.env.PATH}`;
}

/** What a set-up that failed after its checks leaves: that it has, and why, and the compiler's output. */
function onlyFailure(cache: string): string[] {
  return [`${basename(kernelsOf(cache).kernelsFolder)}.failed.json`, 'setup-compile-kernels.log'].sort();
}

const WITHOUT = 'ganglion: training in WebAssembly, about \\d+ times slower than by compiled kernels: ';
const CPU = { exitCode: 0, stdout: 'cpu\n' };
const COMPILED = { ...CPU, stderr: 'compiling the kernels\n' };

describe('a machine that lacks something', () => {
  it('says that there is no compiler, and leaves nothing', async () => {
    const cache = join(root, 'cache-nothing');
    expectOneLine(await setup(cache, { PATH: pathWith({}) }).ended, /^ganglion: g\+\+ is missing.*npm run setup\n$/);
    expect(contents(cache)).toEqual([]);
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
    const script = 'mount -t tmpfs -o size=16m,mode=755 tmpfs "$GANGLION_CACHE" && exec "$0" "$1"';
    const args = [unshare ?? '', 'sh', '-c', script, process.execPath, SETUP];
    const message = new RegExp(`needs 50 MB in ${cache}, 17 MB are free; .*GANGLION_CACHE`);
    expectOneLine(await start('unshare', args, { GANGLION_CACHE: cache }).ended, message);
  });
});

describe('an interrupted set-up', () => {
  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('ends all its compilers and removes its traces on %s, with exit code %i', async (signal, exitCode) => {
    const cache = newFolder('cache');
    const pids = newFolder('pids');
    const { child, ended } = setup(cache, { PATH: pathWithFakeCompiler(`touch ${pids}/$$; exec sleep 60`) });
    while (contents(pids).length < kernelsOf(cache).units.length) await delay(20);
    child.kill(signal);
    expect(await ended).toMatchObject({ exitCode, stdout: '' });
    for (const pid of contents(pids)) expect(() => process.kill(Number(pid), 0)).toThrow('ESRCH');
    expect(contents(cache)).toEqual([]);
  });
});

describe('the check before a run', () => {
  it('takes wasm without a compiler, and says why in one line, at every start; a g++ that comes is seen', async () => {
    const cache = newFolder('cache');
    const env = { PATH: pathWith({}) };
    for (let starts = 0; starts < 2; starts++) {
      const line = new RegExp(`^${WITHOUT}g\\+\\+ is missing[^\n]*npm run setup\n$`);
      const ended = await choose('auto', cache, env);
      expect(ended).toEqual({ exitCode: 0, stdout: 'wasm\n', stderr: expect.stringMatching(line) });
    }
    expect(contents(cache)).toEqual([]); // nothing to remember: it is seen at once when g++ is there
    const report = JSON.parse((await doctor(cache, env)).stdout);
    expect(report).toMatchObject({
      kernels: null,
      problems: [expect.stringMatching(/^g\+\+ is missing/)],
      // as training has said it
      auto: {
        backend: 'wasm',
        note: expect.stringMatching(new RegExp(`^${WITHOUT.replace('ganglion: ', '')}g\\+\\+ is missing`)),
        computing: expect.stringMatching(/^tfjs-wasm /),
        runs: true,
      },
    });
    expect(await choose('auto', cache)).toEqual(COMPILED);
  });

  it('tries a set-up once, and again when told to or when another compiler is there', async () => {
    const cache = newFolder('cache');
    const calls = join(newFolder('calls'), 'calls');
    const script = `echo called >> ${calls}; echo "a.cc:1: error: no memory"; exit 1`;
    const count = () => readFileSync(calls, 'utf8').split('\n').length - 1;
    const env = { PATH: pathWithFakeCompiler(script) };
    const line = `${WITHOUT}g\\+\\+ could not compile Ganglion's kernels [^\n]*no memory[^\n]*; not tried again until: npm run setup\n`;

    const first = await choose('auto', cache, env);
    expect(first).toMatchObject({ exitCode: 0, stdout: 'wasm\n' });
    expect(first.stderr).toMatch(new RegExp(`^compiling the kernels\n${line}$`));
    const once = count();
    expect(once).toBeGreaterThan(0);

    const second = await choose('auto', cache, env);
    expect(second).toMatchObject({ exitCode: 0, stdout: 'wasm\n' });
    expect(second.stderr).toMatch(new RegExp(`^${line}$`));
    expect(count()).toBe(once);

    expect((await setup(cache, env).ended).exitCode).toBe(1);
    const twice = count();
    expect(twice).toBeGreaterThan(once);
    await choose('auto', cache, env);
    expect(count()).toBe(twice);
    await choose('auto', cache, { PATH: pathWithFakeCompiler(script) });
    expect(count()).toBeGreaterThan(twice);

    expect((await setup(cache, env).ended).exitCode).toBe(1);
    const report = JSON.parse((await doctor(cache, env)).stdout);
    expect(report.auto).toMatchObject({ backend: 'wasm', note: expect.stringMatching(/no memory/), runs: true });
    expect(contents(cache)).toEqual(onlyFailure(cache));
  });

  it('takes wasm also where the system refuses something in the midst of it', async () => {
    const cache = newFolder('cache');
    const lock = join(cache, 'setup.lock');
    writeFileSync(lock, ''); // no folder, so that it cannot be taken over
    utimesSync(lock, 0, 0);
    const ended = await choose('auto', cache);
    expect(ended).toMatchObject({ exitCode: 0, stdout: 'wasm\n' });
    expect(ended.stderr).toMatch(new RegExp(`^${WITHOUT}ENOTDIR[^\n]*\n$`));
  });

  it('never replaces a backend that is named', async () => {
    const cache = join(root, 'cache-named');
    const ended = await choose('cpu', cache, { PATH: pathWith({}) });
    expectOneLine(ended, /^ganglion: --backend cpu cannot run here: g\+\+ is missing/);
    expect(contents(cache)).toEqual([]);
  });

  it('refuses a wrong GANGLION_KERNELS before anything is made', async () => {
    const cache = join(root, 'cache-wrong');
    const ended = await choose('auto', cache, { GANGLION_KERNELS: 'fast' });
    const stderr = 'ganglion: GANGLION_KERNELS: expected on, off, avx2, got "fast"\n';
    expect(ended).toEqual({ exitCode: 2, stdout: '', stderr });
    expect(contents(cache)).toEqual([]);
  });
});

describe('the kernels', () => {
  let cache: string;
  beforeAll(() => {
    cache = newFolder('cache-kernels');
  });

  it('are compiled once by two set-ups started at once, by g++ alone', async () => {
    const PATH = pathWith({ gxx: 'real' });
    const both = await Promise.all([setup(cache, { PATH }).ended, setup(cache, { PATH }).ended]);
    for (const { exitCode, stdout } of both) {
      expect({ exitCode, stdout }).toEqual({
        exitCode: 0,
        stdout: `the kernels are ready in ${kernelsOf(cache).kernelsFolder}\n`,
      });
    }
    const said = both.map(({ stderr }) => stderr).join('');
    expect(said.match(/compiling the kernels/g)).toHaveLength(1);
    expect(contents(cache)).toEqual([basename(kernelsOf(cache).kernelsFolder)]);
  });

  it('are found ready at once, and silently by the check before a run', async () => {
    for (const setting of ['auto', 'cpu']) {
      // not even g++ is needed then
      expect(await choose(setting, cache, { PATH: newFolder('path') })).toEqual({ ...CPU, stderr: '' });
    }
    const again = await setup(cache, { PATH: newFolder('path') }).ended;
    expect(again).toMatchObject({ exitCode: 0, stderr: '' });
    const { exitCode, stdout } = await doctor(cache, { PATH: newFolder('path') });
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      kernels: expect.stringMatching(/^avx(512|2)$/),
      kernelsDetail: kernelsOf(cache).kernelsFolder,
      ...{ gxx: null, python: null, problems: [] },
      auto: { backend: 'cpu', note: null, computing: expect.stringMatching(/^kernels-avx(512|2) /), runs: true },
    });
  });

  it('that are cut short are compiled again', async () => {
    const damaged = newFolder('cache');
    cpSync(cache, damaged, { recursive: true });
    const { addonPath, kernelsFolder } = kernelsOf(damaged);
    const { size } = statSync(addonPath);
    truncateSync(addonPath, size / 2);
    const again = await setup(damaged).ended;
    expect(again).toEqual({
      exitCode: 0,
      stdout: `the kernels are ready in ${kernelsFolder}\n`,
      stderr: expect.stringMatching(/^compiling the kernels: [^\n]* was changed: expected \d+ bytes, got \d+\n$/),
    });
    expect(statSync(addonPath).size).toBe(size);
    expect(await choose('auto', damaged)).toEqual({ ...CPU, stderr: '' });
  });

  it('that cannot be used nor compiled give wasm and the reason', async () => {
    const foreign = newFolder('cache');
    cpSync(cache, foreign, { recursive: true });
    const { addonPath, kernelsFolder } = kernelsOf(foreign);
    writeFileSync(addonPath, 'of another machine');
    const env = { PATH: pathWith({}) };
    const damaged = await choose('auto', foreign, env);
    expect(damaged).toMatchObject({ exitCode: 0, stdout: 'wasm\n' });
    expect(damaged.stderr).toMatch(new RegExp(`^${WITHOUT}[^\n]* was changed: [^\n]*; g\\+\\+ is missing[^\n]*\n$`));
    await sealFolder(kernelsFolder);
    const unfit = await choose('auto', foreign, env);
    expect(unfit).toMatchObject({ exitCode: 0, stdout: 'wasm\n' });
    expect(unfit.stderr).toMatch(new RegExp(`^${WITHOUT}[^\n]* does not load [^\n]*; g\\+\\+ is missing[^\n]*\n$`));
    const { auto } = JSON.parse((await doctor(foreign, env)).stdout);
    expect(auto).toMatchObject({ backend: 'wasm', note: expect.stringContaining('does not load'), runs: true });
    const tried = await choose('auto', foreign, { PATH: pathWithFakeCompiler('exit 1') });
    expect(tried.stderr).toMatch(/^compiling the kernels: [^\n]* cannot be used: [^\n]* does not load on this machine/);
  });

  it('that others may write are refused', async () => {
    const open = newFolder('cache');
    cpSync(cache, open, { recursive: true });
    chmodSync(open, 0o777);
    const reason = `${open} may be written by others \\(mode 777\\)[^\n]*chmod go-w[^\n]*GANGLION_CACHE[^\n]*\n$`;
    expectOneLine(await setup(open).ended, new RegExp(`^ganglion: ${reason}`));
    expectOneLine(await choose('cpu', open), new RegExp(`^ganglion: --backend cpu cannot run here: ${reason}`));
    const auto = await choose('auto', open);
    expect(auto).toEqual({
      exitCode: 0,
      stdout: 'wasm\n',
      stderr: expect.stringMatching(new RegExp(`^${WITHOUT}${reason}`)),
    });
    const empty = newFolder('cache');
    chmodSync(empty, 0o777);
    expectOneLine(await setup(empty).ended, /may be written by others/);
    expect(contents(empty)).toEqual([]);
  });

  it.each(['SIGINT', 'SIGKILL'] as const)('come whole after a set-up that ended by %s', async (signal) => {
    const bare = newFolder('cache');
    const pids = newFolder('pids');
    const PATH = pathWithFakeCompiler(`echo half > "$target"; touch ${pids}/$$; exec sleep 60`);
    const slow = start(process.execPath, [BACKEND, 'auto'], { GANGLION_CACHE: bare, PATH });
    while (contents(pids).length < kernelsOf(bare).units.length) await delay(20);
    slow.child.kill(signal);
    const { exitCode, stdout } = await slow.ended;
    expect({ exitCode, stdout }).toEqual({ exitCode: signal === 'SIGINT' ? 130 : null, stdout: '' });
    expect(faultOfKernels(kernelsOf(bare))).toBe('is not there');
    if (signal === 'SIGKILL') {
      for (const pid of contents(pids)) process.kill(Number(pid), 'SIGKILL'); // nobody was left to end them
      utimesSync(join(bare, 'setup.lock'), 0, 0); // as if it had been killed long ago
    } else {
      for (const pid of contents(pids)) expect(() => process.kill(Number(pid), 0)).toThrow('ESRCH');
      expect(contents(bare)).toEqual([]);
    }
    expect(await choose('auto', bare)).toEqual(COMPILED);
    expect(contents(bare)).toHaveLength(1);
  });

  it('are those of the sources: damaged ones are tried once and at set-up, and the others are left alone', async () => {
    const bare = newFolder('cache');
    const copy = newFolder('package');
    for (const folder of ['workers', 'shared'])
      cpSync(resolve('dist', folder), join(copy, 'dist', folder), { recursive: true });
    mkdirSync(join(copy, 'workers/engines/kernels'), { recursive: true });
    for (const name of readdirSync('workers/engines/kernels').filter((file) => /\.(cc|h)$/.test(file)))
      copyFileSync(join('workers/engines/kernels', name), join(copy, 'workers/engines/kernels', name));
    copyFileSync('package.json', join(copy, 'package.json'));
    symlinkSync(resolve('node_modules'), join(copy, 'node_modules'));
    const source = join(copy, 'workers/engines/kernels/addon.cc');
    const run = (entry: string, ...args: string[]): Promise<Ended> =>
      start(process.execPath, [join(copy, 'dist/workers/entry', entry), ...args], { GANGLION_CACHE: bare }).ended;

    expect(await run('backend-entry.js', 'auto')).toEqual(COMPILED);
    const { addonPath } = kernelsOf(bare); // the same sources, the same key
    const builtMs = statSync(addonPath).mtimeMs;

    appendFileSync(source, 'damaged\n');
    const log = join(bare, 'setup-compile-kernels.log');
    const reason = `g\\+\\+ could not compile Ganglion's kernels \\(exit code 1: [^\n]*addon\\.cc:[^\n]* error: [^\n]*its output is in ${log}`;
    const line = `${WITHOUT}${reason}; not tried again until: npm run setup\n`;
    const wasm = { exitCode: 0, stdout: 'wasm\n' };
    const first = await run('backend-entry.js', 'auto');
    expect(first).toEqual({ ...wasm, stderr: expect.stringMatching(`^compiling the kernels\n${line}$`) });
    expect(readFileSync(log, 'utf8')).toContain('damaged');
    expect(await run('backend-entry.js', 'auto')).toEqual({ ...wasm, stderr: expect.stringMatching(`^${line}$`) });
    expectOneLine(await run('setup-entry.js'), new RegExp(`ganglion: ${reason}\n$`));

    writeFileSync(source, `${readFileSync(source, 'utf8').replace('damaged\n', '')}// mended\n`);
    expect(await run('backend-entry.js', 'auto')).toEqual(COMPILED);
    const folders = contents(bare).filter((name) => /^kernels-[0-9a-f]{12}-linux-x64$/.test(name));
    expect(folders).toHaveLength(2);
    expect(statSync(addonPath).mtimeMs).toBe(builtMs);
    expect(existsSync(log)).toBe(false);
    rmSync(copy, { recursive: true });
  });
});
