// Without a compiler the same commands train on wasm, and all that holds of the kernels holds there: equal bits for any number of
// workers, through faults and resumes; and the bits are those of the kernels. A checkpoint goes on on another backend, and the log says so
// where the bits change.
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { locateKernels } from '../../workers/engines/kernels/library.ts';
import { hasTensorflow } from '../unit/workers/engines/tensorflow/ready.ts';
import {
  checkpointPath,
  filesBelow,
  ganglion,
  KERNELS,
  oneTo,
  reached,
  scratchFolder,
  startGanglion,
  stepsOf,
  succeed,
  summaryOf,
} from './ganglion.ts';
import { expectNoneLeft, markOf } from './left-behind.ts';

const scratch = scratchFolder('backends');
const MODEL = ['--batch', '32', '--shards', '4', '--latent', '16', '--seed', '7', '--metrics-port', 'off'];
const WASM = [...MODEL, '--backend', 'wasm'];
const STEPS = 6;

/** What the log says of a checkpoint of another backend. */
const CHANGED = /^step (\d+) was computed on (\w+), from here it is (\w+): the bits will differ from [^\n]+$/m;

const configOf = (run: string): Record<string, unknown> => JSON.parse(readFileSync(join(run, 'config.json'), 'utf8'));

describe('a machine without g++ and kernels', () => {
  const env = (): NodeJS.ProcessEnv => ({ PATH: scratch('no-programs'), GANGLION_CACHE: scratch('no-cache') });
  const LINE =
    /^ganglion: training in WebAssembly, about \d+ times slower than by compiled kernels: g\+\+ is missing, [^\n]*npm run setup\n$/;
  beforeAll(() => {
    mkdirSync(scratch('no-programs'));
  });

  it('trains on wasm after one line, and goes on so', async () => {
    const run = scratch('stripped');
    const first = await ganglion(['train', ...MODEL, '--steps', '2', '--run', run], { env: env() });
    expect(first).toMatchObject({ exitCode: 0, stderr: expect.stringMatching(LINE) });
    expect(first.stdout).toMatch(/^training: .*; kernels-wasm [0-9a-f]{12}$/m);
    expect(summaryOf(run)).toMatchObject({ step: 2, engine: 'kernels-wasm', libraryVersion: expect.any(String) });
    expect(configOf(run)).toMatchObject({ backend: 'auto', chosenBackend: 'wasm' });
    const second = await ganglion(['train', '--resume', run, '--steps', '3'], { env: env() });
    expect(second).toMatchObject({ exitCode: 0, stderr: expect.stringMatching(LINE) });
    expect(second.stdout).not.toMatch(CHANGED);
    const drawn = await ganglion(['sample', '--run', run, '--output', scratch('stripped.png')], { env: env() });
    expect(drawn).toMatchObject({ exitCode: 0, stderr: expect.stringMatching(LINE) });
  });

  it('refuses a backend that is named and cannot run, by flag or variable, before anything is made', async () => {
    const run = scratch('named');
    const args = ['train', ...MODEL, '--steps', '2', '--run', run];
    const byFlag = await ganglion([...args, '--backend', 'cpu'], { env: env() });
    const byVariable = await ganglion(args, { env: { ...env(), GANGLION_BACKEND: 'native' } });
    for (const ended of [byFlag, byVariable]) {
      expect(ended).toMatchObject({
        exitCode: 1,
        stdout: '',
        stderr: expect.stringMatching(/^ganglion: --backend cpu cannot run here: g\+\+ is missing[^\n]*\n$/),
      });
    }
    expect(filesBelow(run)).toEqual([]);
  });

  it('is told by the doctor what training would run on, and that it can start', async () => {
    const { exitCode, stdout, stderr } = await ganglion(['doctor'], { env: env() });
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toMatch(/^cpu +does not run: g\+\+ is missing/m);
    expect(stdout).toMatch(/^kernels +g\+\+ is missing.*run: npm run setup$/m);
    expect(stdout).toMatch(
      /^tensorflow +does not run: python3 is missing, .*, then run: npm run setup -- --tensorflow$/m,
    );
    expect(stdout).toMatch(/^wasm +runs: kernels-wasm [0-9a-f]/m);
    expect(stdout).toMatch(/^webgpu +(runs: tfjs-webgpu \S+, \S|does not run: \S)/m);
    expect(stdout).toMatch(/^js +runs: tfjs-js \d/m);
    expect(stdout).toMatch(
      /^training +runs on wasm: kernels-wasm \S+: training in WebAssembly, about \d+ times slower than by compiled kernels: g\+\+ is missing/m,
    );
  });
});

it('a system that the kernels are not written for trains on wasm too, one process at a time', async () => {
  // what the code of Ganglion asks a system for; the system itself is this one
  const preload =
    "for (const [name, value] of [['platform', 'darwin'], ['arch', 'arm64']]) Object.defineProperty(process, name, { value })";
  const env = {
    NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(preload)}`,
    GANGLION_CACHE: scratch('mac'),
  };
  const run = scratch('other-system');
  const running = startGanglion(['train', ...MODEL, '--steps', '1000', '--run', run], { env });
  await reached(running, run, 1);
  expect(existsSync(join(run, 'lock.json'))).toBe(true);
  running.child.kill('SIGINT');
  const { exitCode, stderr } = await running.ended;
  expect({ exitCode, stderr }).toEqual({
    exitCode: 0,
    stderr: expect.stringMatching(
      /^ganglion: training in WebAssembly, [^\n]*: the kernels need linux on x64 or arm64, this is darwin arm64\n$/,
    ),
  });
  expect(summaryOf(run)).toMatchObject({ engine: 'kernels-wasm', lostSteps: 0 });
  const again = await ganglion(['train', '--resume', run, '--steps', '1'], { env });
  expect(again).toMatchObject({ exitCode: 2, stderr: expect.stringMatching(/ is at step \d+ of 1; /) }); // its lock is gone
});

it.each([
  ['a processor without AVX2', 'this processor has no AVX2 and FMA, which the kernels need', true],
  ['GANGLION_KERNELS=off', 'the kernels are switched off by GANGLION_KERNELS', false],
])('%s takes wasm, and is told so in one line', async (name, reason, byProcessor) => {
  // what /proc/cpuinfo says, without the words that name the instructions
  const preload = `import fs from 'node:fs';
    import { syncBuiltinESMExports } from 'node:module';
    const { readFileSync } = fs;
    fs.readFileSync = (path, ...rest) => {
      const text = readFileSync(path, ...rest);
      return path === '/proc/cpuinfo' ? text.replaceAll(/ (avx2|fma)(?= )/g, '') : text;
    };
    syncBuiltinESMExports();`;
  const env: NodeJS.ProcessEnv = byProcessor
    ? {
        NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(preload)}`,
        GANGLION_CACHE: scratch('no-avx2'),
      }
    : { GANGLION_KERNELS: 'off' };
  const run = scratch(name.replaceAll(/\W+/g, '-'));
  const args = ['train', ...MODEL, '--steps', '2'];
  const { exitCode, stderr } = await ganglion([...args, '--run', run], { env });
  expect({ exitCode, stderr }).toEqual({
    exitCode: 0,
    stderr: expect.stringMatching(`^ganglion: training in WebAssembly, [^\n]*: ${reason}\n$`),
  });
  expect(summaryOf(run)).toMatchObject({ step: 2, engine: 'kernels-wasm' });
  const named = await ganglion([...args, '--run', `${run}-named`, '--backend', 'cpu'], { env });
  expect(named).toMatchObject({ exitCode: 1, stderr: `ganglion: --backend cpu cannot run here: ${reason}\n` });
});

it('webgpu without a GPU is refused in one line, and nothing is made', async () => {
  const run = scratch('no-gpu');
  const env = { VK_ICD_FILENAMES: '/nonexistent', VK_DRIVER_FILES: '/nonexistent' };
  const ended = await ganglion(['train', ...MODEL, '--backend', 'webgpu', '--steps', '2', '--run', run], { env });
  expect(ended).toMatchObject({
    exitCode: 1,
    stdout: '',
    stderr: expect.stringMatching(
      /^ganglion: --backend webgpu cannot run here: [^\n]*(no GPU|needs the npm package)[^\n]*\n$/,
    ),
  });
  expect(filesBelow(run)).toEqual([]);
});

it('the doctor tries every backend where the kernels are, too', async () => {
  const report = JSON.parse(await succeed(['doctor', '--json']));
  const computing = `${KERNELS.engine} ${KERNELS.libraryVersion}`;
  expect(report.auto).toEqual({ backend: 'cpu', computing, note: null, runs: true });
  expect(report.backends).toMatchObject([
    { backend: 'cpu', runs: true, detail: `${KERNELS.engine} ${KERNELS.libraryVersion}` },
    { backend: 'cuda', runs: expect.any(Boolean), detail: expect.stringMatching(/./) },
    hasTensorflow
      ? { backend: 'tensorflow', runs: true, detail: expect.stringMatching(/^tensorflow-(cpu|gpu) 2\./) }
      : { backend: 'tensorflow', runs: false, detail: expect.stringContaining('not set up') },
    { backend: 'wasm', runs: true },
    { backend: 'webgpu', runs: expect.any(Boolean), detail: expect.stringMatching(/./) },
    { backend: 'js', runs: true },
  ]);
});

describe('on wasm', () => {
  const runs: [name: string, cluster: string[], faults: object[], lost: number][] = [
    ['one worker', ['--workers', '1'], [], 0],
    [
      'two threads, one killed, another with a NaN',
      ['--workers', '2'],
      [
        { kind: 'kill', step: 1, pass: 'fake', shard: 2 },
        { kind: 'nan', step: 4, pass: 'real', shard: 1 },
      ],
      2,
    ],
    ['four threads, whose bits are compared', ['--workers', '4', '--audit', '1'], [], 0],
    [
      'two processes, one killed',
      ['--workers', '2', '--isolation', 'process'],
      [{ kind: 'kill', step: 2, pass: 'generator', shard: 0 }],
      1,
    ],
  ];
  const hashes: unknown[] = [];
  const pictures: string[] = [];

  it.each(runs)('%s: the same state', async (name, cluster, faults, lost) => {
    const run = scratch(name.replaceAll(/\W+/g, '-'));
    const plan = `${run}.json`;
    writeFileSync(plan, JSON.stringify(faults));
    const flags = [
      ...WASM,
      ...cluster,
      '--steps',
      String(STEPS),
      '--samples-every',
      '3',
      '--fault',
      plan,
      '--run',
      run,
    ];
    await succeed(['train', ...flags], { env: markOf(run) });
    const summary = summaryOf(run);
    expect(summary).toMatchObject({ step: STEPS, engine: 'kernels-wasm', lostSteps: 0, repeatedSteps: 0 });
    expect(summary.restarts).toBe(lost);
    expect(stepsOf(run)).toEqual(oneTo(STEPS));
    await expectNoneLeft(run);
    hashes.push(summary.stateSha256);
    pictures.push(readFileSync(join(run, 'samples', 'step-00000006.png'), 'base64'));
    expect([new Set(hashes).size, new Set(pictures).size]).toEqual([1, 1]);
  });

  it('with kernels that do not load the coordinator computes in JavaScript, says so, and comes to the same state', async () => {
    const run = scratch('damaged-kernels');
    const env = { GANGLION_CACHE: scratch('damaged-cache') };
    const { kernelsFolder, addonPath } = locateKernels(env);
    mkdirSync(kernelsFolder, { recursive: true });
    writeFileSync(addonPath, 'damaged');
    const said = await succeed(['train', ...WASM, '--workers', '2', '--steps', String(STEPS), '--run', run], { env });
    expect(said).toMatch(
      /^the coordinator computes in JavaScript, to the same bits: \S+ is not whole; run: npm run setup$/m,
    );
    expect(summaryOf(run)).toMatchObject({ step: STEPS, stateSha256: hashes[0] });
  });

  it('killed and resumed with other workers, or on cpu: the same state', async () => {
    const run = scratch('killed');
    const flags = [...WASM, '--workers', '1', '--steps', String(STEPS), '--checkpoint-every', '2', '--run', run];
    const running = startGanglion(['train', ...flags]);
    await reached(running, run, 3);
    while (!existsSync(checkpointPath(run, 2))) await delay(5); // it is written beside the steps
    process.kill(running.pid, 'SIGKILL');
    await running.ended;
    const copy = scratch('killed-copy');
    cpSync(run, copy, { recursive: true });

    const cluster = ['--workers', '2', '--isolation', 'process'];
    expect(await succeed(['train', '--resume', run, ...cluster])).not.toMatch(CHANGED); // the setting is the run's
    expect(summaryOf(run)).toMatchObject({ step: STEPS, engine: 'kernels-wasm', stateSha256: hashes[0] });

    expect(await succeed(['train', '--resume', copy, '--backend', 'cpu'])).not.toMatch(CHANGED);
    expect(summaryOf(copy)).toMatchObject({ step: STEPS, ...KERNELS, stateSha256: hashes[0] });
  });

  it('draws the digits that the kernels draw', async () => {
    const draw = async (name: string, ...flags: string[]): Promise<Buffer> => {
      await succeed(['sample', '--run', scratch('one-worker'), '--count', '70', '--output', scratch(name), ...flags]);
      return readFileSync(scratch(name));
    };
    const [first, kernels] = await Promise.all([
      draw('first.npy'), // the setting is the run's
      draw('kernels.npy', '--backend', 'cpu'),
    ]);
    expect(first.equals(kernels)).toBe(true);
  });

  it('beside the kernels in one run, whose bits are compared: the same state', async () => {
    const run = scratch('both');
    const cluster = ['--devices', 'wasm,cpu', '--workers', '2', '--audit', '1'];
    await succeed(['train', ...MODEL, ...cluster, '--steps', String(STEPS), '--run', run]);
    expect(summaryOf(run)).toMatchObject({ step: STEPS, restarts: 0, stateSha256: hashes[0] });
  });

  it('goes on from a checkpoint of the kernels and back: the same state', async () => {
    const run = scratch('to-and-fro');
    const resume = (steps: number, backend: string): Promise<string> =>
      succeed(['train', '--resume', run, '--steps', String(steps), '--backend', backend]);
    await succeed(['train', ...MODEL, '--steps', '2', '--run', run]);
    expect(await resume(4, 'wasm')).not.toMatch(CHANGED);
    expect(summaryOf(run)).toMatchObject({ step: 4, engine: 'kernels-wasm', lostSteps: 0, repeatedSteps: 0 });
    expect(configOf(run)).toMatchObject({ backend: 'wasm', chosenBackend: 'wasm' });
    expect(await resume(STEPS, 'cpu')).not.toMatch(CHANGED);
    expect(summaryOf(run)).toMatchObject({ step: STEPS, ...KERNELS, stateSha256: hashes[0] });
    expect(stepsOf(run)).toEqual(oneTo(STEPS));
  });
});

it.skipIf(!hasTensorflow)(
  'a checkpoint of the kernels goes on on TensorFlow, and back, and each time the log says it',
  async () => {
    const run = scratch('changed');
    const resume = (steps: number, backend: string): Promise<string> =>
      succeed(['train', '--resume', run, '--steps', String(steps), '--backend', backend]);
    expect(await succeed(['train', ...MODEL, '--steps', '2', '--run', run])).not.toMatch(CHANGED);
    expect(CHANGED.exec(await resume(3, 'tensorflow'))?.slice(1)).toEqual(['2', 'cpu', 'tensorflow']);
    expect(CHANGED.exec(await resume(4, 'cpu'))?.slice(1)).toEqual(['3', 'tensorflow', 'cpu']);
    // As a run on TensorFlow leaves it that ends before its first checkpoint: the newest steps that are there are the kernels'.
    writeFileSync(
      join(run, 'config.json'),
      JSON.stringify({ ...configOf(run), backend: 'cpu', chosenBackend: 'tensorflow' }),
    );
    expect(await succeed(['train', '--resume', run, '--steps', '5'])).not.toMatch(CHANGED);
    expect(stepsOf(run)).toEqual(oneTo(5));
  },
);
