// Without a compiler the same commands train on wasm. A checkpoint goes on on another backend, and the log says so where the bits change.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { hasTensorflow } from '../unit/workers/engines/tensorflow/ready.ts';
import {
  CHANGED,
  configOf,
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

const scratch = scratchFolder('backends');
const MODEL = ['--batch', '32', '--shards', '4', '--latent', '16', '--seed', '7', '--metrics-port', 'off'];

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
    "for (const [name, value] of [['platform', 'freebsd'], ['arch', 'x64']]) Object.defineProperty(process, name, { value })";
  const env = {
    NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(preload)}`,
    GANGLION_CACHE: scratch('freebsd'),
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
      /^ganglion: training in WebAssembly, [^\n]*: the kernels need Linux or macOS on x64 or arm64, this is freebsd x64\n$/,
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
