// Set-up of the kernels: what a machine with a C++ compiler and nothing else does before its first step, and what one without does.
import { spawnSync } from 'node:child_process';
import { readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import {
  COMPILED,
  choose,
  contents,
  doctor,
  expectOneLine,
  kernelsOf,
  newFolder,
  onlyFailure,
  pathWith,
  pathWithFakeCompiler,
  root,
  SETUP,
  setup,
  start,
  WITHOUT,
} from './set-up.ts';

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
        computing: expect.stringMatching(/^kernels-wasm /),
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
    const stderr = 'ganglion: GANGLION_KERNELS: expected on, off, avx2, exact, got "fast"\n';
    expect(ended).toEqual({ exitCode: 2, stdout: '', stderr });
    expect(contents(cache)).toEqual([]);
  });
});
