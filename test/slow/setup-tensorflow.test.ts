// Set-up of TensorFlow, which only those meet who ask for it. One full install (about 20 s) serves all tests that need a library; the
// others fail before they copy anything. Without python3 there is nothing to test; in CI it must be there.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmdirSync, truncateSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { faultOfLibrary, locateLibrary, type Variant } from '../../workers/engines/tensorflow/library.ts';
import { packageFolder } from '../../workers/engines/tensorflow/package.ts';
import { CONTENTS } from '../../workers/engines/tensorflow/wheel.ts';
import { isInstalled } from '../integration/ganglion.ts';
import {
  choose,
  contents,
  doctor,
  expectOneLine,
  newFolder,
  pathWith,
  root,
  SETUP,
  start,
  writeScript,
} from '../integration/set-up.ts';

const BINDING = pathToFileURL(resolve('dist/workers/engines/tensorflow/binding.js')).href;
const [WHEEL] = CONTENTS.cpu.wheels;
const hasPython = isInstalled('python3', '-m', 'pip', '--version') || Boolean(process.env.CI);

function setup(cache: string, env: NodeJS.ProcessEnv = {}, variant: Variant = 'cpu') {
  return start(process.execPath, [SETUP, `--tensorflow=${variant}`], { GANGLION_CACHE: cache, ...env });
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

/** What a set-up that failed after its checks leaves: that it has, and why. */
function onlyFailure(cache: string): string[] {
  return [`${basename(locateLibrary({ GANGLION_CACHE: cache }).libraryFolder)}.failed.json`];
}

describe.skipIf(!hasPython)('a machine that lacks something', () => {
  it.each([
    ['python3', { gxx: 'real' }, /ganglion: python3 is missing.*npm run setup -- --tensorflow/],
    ['pip', { gxx: 'real', python3: 'without pip' }, /ganglion: pip is missing.*npm run setup -- --tensorflow/],
    ['g++', { python3: 'real' }, /ganglion: g\+\+ is missing.*npm run setup -- --tensorflow/],
  ] as const)('says that %s is missing, and leaves nothing', async (_, programs, message) => {
    const cache = join(root, 'cache-missing');
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

  // a small file system, in a mount namespace of its own that ends with the process
  const unshare = ['-m', '-rm'].find(
    (flag) => spawnSync('unshare', [flag, 'sh', '-c', 'mount -t tmpfs tmpfs /mnt']).status === 0,
  );
  it.skipIf(unshare === undefined).each([
    ['cpu', 1227],
    ['gpu', 6830],
  ])('says how much disk space is free and needed (%s)', async (variant, needed) => {
    const cache = newFolder('cache');
    const script = 'mount -t tmpfs -o size=64m,mode=755 tmpfs "$GANGLION_CACHE" && exec "$0" "$1" "$2"';
    const args = [unshare ?? '', 'sh', '-c', script, process.execPath, SETUP, `--tensorflow=${variant}`];
    const message = new RegExp(`needs ${needed} MB in ${cache}, 67 MB are free; .*GANGLION_CACHE`);
    expectOneLine(await start('unshare', args, { GANGLION_CACHE: cache }).ended, message);
  });

  it('says that the disk ran full while pip was at work', async () => {
    const cache = newFolder('cache');
    const full = 'echo "ERROR: [Errno 28] No space left on device"; exit 1';
    expectOneLine(
      await setup(cache, { PATH: pathWithFakePip(full) }).ended,
      /not enough disk space[^\n]*another disk\n$/,
    );
    expect(contents(cache)).toEqual([]);
  });

  it('refuses a download with the wrong hash, and keeps nothing of it', async () => {
    const cache = newFolder('cache');
    const PATH = pathWithFakePip(`echo wrong > "$target/${WHEEL.fileName}"`);
    const ended = await setup(cache, { PATH }).ended;
    const got = createHash('sha256').update('wrong\n').digest('hex');
    expectOneLine(ended, new RegExp(`wrong SHA-256: expected 2b847d217b02.*, got ${got};.*nothing was installed`));
    expect(contents(cache)).toEqual(onlyFailure(cache));
  });

  it('says what the libraries for GPUs take before it downloads them', async () => {
    const cache = newFolder('cache');
    const PATH = pathWithFakePip('echo "ERROR: No matching distribution found"; exit 1');
    const { stderr, exitCode } = await setup(cache, { PATH }, 'gpu').ended;
    expect(stderr).toMatch(
      /^downloading TensorFlow for GPUs \(2\.5 GB; it takes 4\.2 GB of disk\)\ndownloading TensorFlow \(572 MB\)\nganglion: cannot download tensorflow==2\.21\.0: [^\n]*\n$/,
    );
    expect(exitCode).toBe(1);
    expect(contents(cache)).toEqual([expect.stringMatching(/-gpu-.*\.failed\.json$/)]);
  });

  it('is told so by the check before a run that names it, and gets no other backend', async () => {
    const cache = join(root, 'cache-named');
    const ended = await choose('tensorflow', cache, { PATH: pathWith({ python3: 'real' }) });
    expectOneLine(ended, /^ganglion: --backend tensorflow cannot run here: g\+\+ is missing/);
    expect(contents(cache)).toEqual([]);
  });
});

describe.skipIf(!hasPython)('an interrupted set-up', () => {
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

describe.skipIf(!hasPython)('TensorFlow', () => {
  let cache: string;
  beforeAll(() => {
    cache = join(root, 'cache-library');
    mkdirSync(cache);
  });
  const location = () => locateLibrary({ GANGLION_CACHE: cache });

  it('is installed once by two set-ups started at once, in place of a damaged one, after one was interrupted and one killed', async () => {
    mkdirSync(location().libraryFolder);
    writeFileSync(join(location().libraryFolder, 'manifest.json'), '{"layout":');

    const interrupted = setup(cache);
    await interrupted.said('extracting');
    interrupted.child.kill('SIGINT');
    expect(await interrupted.ended).toMatchObject({ exitCode: 130, stdout: '' });
    const libraryName = basename(location().libraryFolder);
    const packageName = basename(packageFolder());
    // the downloads are kept
    expect(contents(cache)).toEqual([WHEEL.fileName, libraryName, packageName].sort());

    const killed = setup(cache);
    await killed.said('extracting');
    killed.child.kill('SIGKILL');
    await killed.ended;
    expect(faultOfLibrary(location())).toContain('manifest.json is no manifest');
    expect(contents(cache).some((name) => name.startsWith('staging-'))).toBe(true);

    const both = await Promise.all([setup(cache).ended, setup(cache).ended]);
    for (const { exitCode, stdout } of both) {
      expect(exitCode).toBe(0);
      expect(stdout).toBe(`TensorFlow 2.21.0 (cpu) is ready in ${location().libraryFolder}\n`);
    }
    const said = both.map(({ stderr }) => stderr).join('');
    expect(said.match(/compiling the add-on/g)).toHaveLength(1);
    expect(said.match(/waiting for another set-up/g)).toHaveLength(2);
    expect(said).toContain('using the TensorFlow download of an earlier set-up');
    expect(faultOfLibrary(location())).toBeUndefined();
    expect(contents(cache)).toEqual([libraryName, packageName].sort());
  });

  it('is found ready at once, and silently by the check before a run', async () => {
    expect(await choose('tensorflow', cache)).toEqual({ exitCode: 0, stdout: 'tensorflow\n', stderr: '' });
    // not even python3 or g++ are needed then
    const again = await setup(cache, { PATH: newFolder('path') }).ended;
    expect(again).toMatchObject({ exitCode: 0, stderr: '' });
    expect(again.stdout).toMatch(/^TensorFlow [^\n]* is ready in /);
    const { libraryFolder: gpu } = locateLibrary({ GANGLION_CACHE: cache }, 'gpu');
    mkdirSync(gpu);
    const beside = await setup(cache).ended;
    rmdirSync(gpu);
    expect(beside.stdout).toContain(`; training takes (gpu) until you delete ${gpu}\n`);
  });

  it('computes, also after its folder has been moved', async () => {
    const moved = join(root, 'cache-moved');
    renameSync(cache, moved);
    cache = moved;
    const { exitCode, stdout } = await doctor(cache);
    expect(JSON.parse(stdout)).toMatchObject({
      tensorflowReady: true,
      tensorflow: '2.21.0',
      device: 'cpu',
      convolution: { ok: true },
      auto: { backend: 'cpu', note: 'compiling the kernels', computing: null, runs: true },
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

  it('is not ready once a file is cut short, and the doctor says what to do', async () => {
    truncateSync(join(location().libraryFolder, 'lib', 'libtensorflow_cc.so.2'), 1000);
    const { exitCode, stdout } = await doctor(cache);
    const { tensorflowReady, backends } = JSON.parse(stdout);
    expect(tensorflowReady).toBe(false);
    expect(backends).toContainEqual({
      backend: 'tensorflow',
      runs: false,
      detail: expect.stringMatching(/npm run setup -- --tensorflow$/),
    });
    expect(exitCode).toBe(0); // training needs none
  });
});
