// The kernels by set-up: compiled once, found ready, mended when damaged, refused where others may write.
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
import { findKernels } from '../../workers/engines/kernels/library.ts';
import {
  BACKEND,
  COMPILED,
  CPU,
  choose,
  contents,
  doctor,
  type Ended,
  expectOneLine,
  kernelsOf,
  newFolder,
  pathWith,
  pathWithFakeCompiler,
  pathWithQuickCompiler,
  setup,
  start,
  WITHOUT,
} from '../integration/set-up.ts';

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
    const again = await setup(damaged, { PATH: pathWithQuickCompiler() }).ended;
    expect(again).toEqual({
      exitCode: 0,
      stdout: `the kernels are ready in ${kernelsFolder}\n`,
      stderr: expect.stringMatching(/^compiling the kernels: [^\n]* was changed: expected \d+ bytes, got \d+\n$/),
    });
    expect(statSync(addonPath).size).toBeGreaterThan(size / 2);
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
    expect(findKernels(kernelsOf(bare)).fault).toBe('is not there');
    if (signal === 'SIGKILL') {
      for (const pid of contents(pids)) process.kill(Number(pid), 'SIGKILL'); // nobody was left to end them
      utimesSync(join(bare, 'setup.lock'), 0, 0); // as if it had been killed long ago
    } else {
      for (const pid of contents(pids)) expect(() => process.kill(Number(pid), 0)).toThrow('ESRCH');
      expect(contents(bare)).toEqual([]);
    }
    expect(await choose('auto', bare, { PATH: pathWithQuickCompiler() })).toEqual(COMPILED);
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
    const env = { GANGLION_CACHE: bare, PATH: pathWithQuickCompiler() };
    const run = (entry: string, ...args: string[]): Promise<Ended> =>
      start(process.execPath, [join(copy, 'dist/workers/entry', entry), ...args], env).ended;

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
