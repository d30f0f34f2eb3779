// The CUDA engine without a GPU: the same kernels, add-on and calls over an emulated driver. A run ends in the hash of the CPU's.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { ganglion, scratchFolder, succeed, summaryOf } from './ganglion.ts';

const scratch = scratchFolder('cuda');
const MODEL = [
  '--steps',
  '3',
  '--batch',
  '8',
  '--shards',
  '4',
  '--latent',
  '16',
  '--metrics-port',
  'off',
  '--evaluate-every',
  'off',
];
const EMULATED = { GANGLION_CUDA: 'emulated' };

async function train(name: string, flags: readonly string[], env: Record<string, string> = EMULATED): Promise<string> {
  await succeed(['train', ...MODEL, ...flags, '--run', scratch(name)], { env });
  return String(summaryOf(scratch(name)).stateSha256);
}

let expected: string;
beforeAll(async () => {
  await ganglion(['setup'], { env: EMULATED }); // compiles it, in an empty cache
  expected = await train('cpu', ['--workers', '1', '--ema', '0.9'], {});
});

it('ends in the hash of the CPU, on every GPU that auto finds, in processes, and resumed from one on the other', async () => {
  expect(await train('auto', [], { ...EMULATED, GANGLION_CUDA_DEVICES: '2', GANGLION_CUDA_LATE: '1' })).toBe(expected);
  expect(summaryOf(scratch('auto'))).toMatchObject({
    ...{ engine: 'cuda-emulated', device: 'emulated GPU', workers: 2, restarts: 0 },
  });
  const cuda = ['--backend', 'cuda', '--workers', '1'];
  expect(await train('process', [...cuda, '--isolation', 'process'])).toBe(expected);

  await train('half', [...cuda, '--steps', '1']);
  const said = await succeed(['train', '--resume', scratch('half'), '--steps', '3', '--backend', 'cpu']);
  expect(said).not.toContain('bits');
  expect(summaryOf(scratch('half')).stateSha256).toBe(expected);
});

it('a run whose gradients become too large skips the updates of the CPU, though it goes ahead of the GPU, to the last step', async () => {
  const skipping = ['--steps', '4', '--lr', '1', '--max-skipped', '9', '--workers', '1', '--ema', '0.9'];
  const hash = await train('skips', [...skipping, '--backend', 'cpu']);
  expect(await train('skips-ahead', [...skipping, '--backend', 'cuda'], { ...EMULATED, GANGLION_CUDA_LATE: '1' })).toBe(
    hash,
  );
  const figuresOf = (name: string) =>
    readFileSync(join(scratch(name), 'metrics.jsonl'), 'utf8').replaceAll(/"(seconds|imagesPerSecond)":[^,}]+/g, '');
  expect(figuresOf('skips-ahead')).toBe(figuresOf('skips'));
  expect(figuresOf('skips')).toContain('"gradientNormD":null');
  expect(summaryOf(scratch('skips-ahead')).emaSha256).toBe(summaryOf(scratch('skips')).emaSha256);
});

it('a GPU and the CPU compute one run together, audit each other, and end in that hash', async () => {
  expect(await train('mixed', ['--devices', 'cuda:0,cpu', '--audit', '1'])).toBe(expected);
  const { engine, workers, restarts } = summaryOf(scratch('mixed'));
  expect([String(engine).replace(/avx.*/, ''), workers, restarts]).toEqual(['cuda-emulated + kernels-', 2, 0]);
});

it('auto says in one line why it does not take a GPU, and trains on the CPU', async () => {
  const flags = ['train', ...MODEL, '--steps', '1'];
  const env = { ...EMULATED, GANGLION_CUDA_FAIL: 'cuInit:803' };
  const { exitCode, stderr } = await ganglion([...flags, '--run', scratch('without')], { env });
  expect([exitCode, stderr.trim()]).toEqual([
    0,
    "ganglion: training on the CPU, as the GPU cannot be used: NVIDIA's driver does not start: init: CUDA_ERROR_SYSTEM_DRIVER_MISMATCH (803); the library is of another version than the driver in the kernel; restart the machine, or update the driver",
  ]);
  const doctor = await ganglion(['doctor'], { env: EMULATED });
  expect(doctor.stdout).toMatch(
    /^cuda +runs: cuda-emulated \w+, cuda:0 is emulated GPU \(compute capability 9\.0, 4\.3 GB\), driver for CUDA 12\.9$/m,
  );
  const wrong = await ganglion([...flags, '--devices', 'cpu,cuda:4', '--run', scratch('wrong')], { env: EMULATED });
  expect([wrong.exitCode, wrong.stderr.trim()]).toEqual([
    1,
    'ganglion: --devices cpu,cuda:4 cannot run here: cuda:4: expected a GPU that can be used here (cuda:0)',
  ]);
});

it('a GPU that is lost costs its process, and the run ends in the same hash', async () => {
  const env = { ...EMULATED, GANGLION_CUDA_FAIL: 'cuGraphLaunch:719:25' };
  const flags = ['--backend', 'cuda', '--workers', '1', '--isolation', 'process'];
  expect(await train('lost', flags, env)).toBe(expected);
  expect(Number(summaryOf(scratch('lost')).restarts)).toBeGreaterThan(0);
});

it('a state on the GPU stands audits, faults and checkpoints of threads that share it, and work that is done late', async () => {
  const plan = scratch('faults.json');
  const faults = [
    { kind: 'flip', step: 1, pass: 'fake' },
    { kind: 'kill', step: 1, pass: 'generator' },
    { kind: 'nan', step: 2, pass: 'real' },
  ];
  writeFileSync(plan, JSON.stringify(faults));
  const cluster = ['--devices', 'cuda:0', '--workers', '2', '--audit', '1', '--fault', plan];
  const flags = [...cluster, '--checkpoint-every', '1', '--ema', '0.9'];
  expect(await train('faults', flags, { ...EMULATED, GANGLION_CUDA_LATE: '1' })).toBe(expected);
  expect(Number(summaryOf(scratch('faults')).restarts)).toBeGreaterThanOrEqual(2);
  expect(summaryOf(scratch('faults')).emaSha256).toBe(summaryOf(scratch('cpu')).emaSha256);
  const steps = ['1', '2', '3'].map((step) => `step-0000000${step}.safetensors`);
  expect(readdirSync(join(scratch('faults'), 'checkpoints'))).toEqual(expect.arrayContaining(steps));
});

it('a GPU that is lost with the state: the CPU computes the steps since the last copy again, to the same hash', async () => {
  const run = scratch('state-lost');
  const env = { ...EMULATED, GANGLION_CUDA_FAIL: 'cuLaunchKernel:719:21' };
  const flags = ['train', ...MODEL, '--ema', '0.9', '--backend', 'cuda', '--workers', '1', '--run', run];
  const said = await succeed([...flags, '--evaluate-every', '2'], { env });
  expect(said).toContain(
    'the GPU that holds the state is lost: kernel moveAverage: CUDA_ERROR_LAUNCH_FAILED (719); going on with cpu from step 0; 1 step is computed again',
  );
  expect(said).toContain('replica 0 is lost with its GPU (error); its shards go to other replicas');
  const engine = expect.stringContaining('kernels-');
  expect(summaryOf(run)).toMatchObject({ stateSha256: expected, engine, restarts: 1 });
  expect(summaryOf(run).emaSha256).toBe(summaryOf(scratch('cpu')).emaSha256);
  expect(stepsOf(run)).toEqual([1, 2, 3]);
  expect(stepsOf(run, 'evaluations.jsonl')).toEqual([2, 3]);
});

it('the first of two GPUs is lost with the state: the other computes the steps since the last copy again, to the same hash', async () => {
  const run = scratch('first-lost');
  const env = { ...EMULATED, GANGLION_CUDA_DEVICES: '2', GANGLION_CUDA_FAIL: 'cuLaunchKernel:719:21:0' };
  const flags = ['train', ...MODEL, '--ema', '0.9', '--devices', 'cuda:0,cuda:1', '--run', run];
  const said = await succeed(flags, { env });
  expect(said).toContain('(719); going on with cuda:1 from step 0; 1 step is computed again');
  expect(said).toContain('replica 0 is lost with its GPU (error); its shards go to other replicas');
  expect(said).toContain('replica 1 is lost with the GPU that holds its results (error)');
  expect(summaryOf(run)).toMatchObject({ stateSha256: expected, engine: 'cuda-emulated', workers: 2, restarts: 2 });
  expect(stepsOf(run)).toEqual([1, 2, 3]);
});

it('a step that is computed again to another end than the lost GPU gave ends the run, which can be resumed', async () => {
  const plan = scratch('flip.json');
  writeFileSync(plan, JSON.stringify([{ kind: 'flip', step: 0, pass: 'fake' }]));
  const env = { ...EMULATED, GANGLION_CUDA_FAIL: 'cuLaunchKernel:719:14' };
  const flags = ['train', ...MODEL, '--devices', 'cuda:0', '--fault', plan, '--run', scratch('flipped')];
  const { exitCode, stderr, stdout } = await ganglion(flags, { env });
  expect([exitCode, stderr.trim()]).toEqual([
    3,
    expect.stringMatching(
      /^ganglion: step 1, computed again, has .+, the device that is lost gave .+: one of them computed wrongly$/,
    ),
  ]);
  expect(stdout).toContain('gave up at step 1 of 3; resume with --resume');
  expect(stepsOf(scratch('flipped'))).toEqual([1]);
});

it('a GPU that is lost for good in a thread: its workers go on with what is left, in the same hash', async () => {
  const env = { ...EMULATED, GANGLION_CUDA_DEVICES: '2', GANGLION_CUDA_FAIL: 'cuGraphLaunch:719:8:1' };
  expect(await train('one-of-two', ['--devices', 'cuda:0,cuda:1'], env)).toBe(expected);
  const lost = readFileSync(join(scratch('one-of-two'), 'events.jsonl'), 'utf8').split('\n');
  expect(lost.filter((line) => line.includes('cuda:1 is lost'))).toEqual([
    expect.stringContaining('CUDA_ERROR_LAUNCH_FAILED (719); its workers go on with cuda:0"'),
  ]);
});

/** Numbers of the steps in a log of a run. */
function stepsOf(run: string, log = 'metrics.jsonl'): number[] {
  const lines = readFileSync(join(run, log), 'utf8').trim().split('\n');
  return lines.map((line) => Number(JSON.parse(line).step));
}

it.each([
  ['no GPU', { GANGLION_CUDA_FAIL: 'cuInit:100' }, "NVIDIA's driver does not start: init: CUDA_ERROR_NO_DEVICE (100)"],
  ['an old driver', { GANGLION_CUDA_FAIL: 'cuInit:803' }, 'init: CUDA_ERROR_SYSTEM_DRIVER_MISMATCH (803)'],
  [
    'a driver that hangs',
    { GANGLION_CUDA_FAIL: 'cuInit:hang', GANGLION_CUDA_WAIT: '300' },
    "NVIDIA's driver does not start: it has not answered for 0.3 s",
  ],
  ['a driver without devices', { GANGLION_CUDA_DEVICES: '0' }, "NVIDIA's driver finds no GPU"],
  ['no memory', { GANGLION_CUDA_FAIL: 'cuMemAlloc:2' }, 'memAlloc: CUDA_ERROR_OUT_OF_MEMORY (2)'],
  [
    'no memory for results',
    { GANGLION_CUDA_FAIL: 'cuMemAlloc:2:16' },
    'the GPU cannot be used: memAlloc: CUDA_ERROR_OUT_OF_MEMORY (2)',
  ],
  ['kernels of another GPU', { GANGLION_CUDA_FAIL: 'cuModuleLoadData:209' }, 'CUDA_ERROR_NO_BINARY_FOR_GPU (209)'],
])('%s is one line', async (name, env, message) => {
  const flags = ['train', ...MODEL, '--backend', 'cuda', '--workers', '1', '--run', scratch(name.replaceAll(' ', '-'))];
  const { exitCode, stderr } = await ganglion(flags, { env: { ...EMULATED, ...env } });
  expect([exitCode, stderr.trim().split('\n')]).toEqual([1, [expect.stringContaining(message)]]);
});

it.skipIf(['/usr/lib/x86_64-linux-gnu/libcuda.so.1', '/usr/lib64/libcuda.so.1'].some(existsSync))(
  'a machine without a driver, and a wrong GANGLION_CUDA, are one line',
  async () => {
    const flags = ['train', ...MODEL, '--backend', 'cuda', '--run', scratch('none')];
    const none = await ganglion(flags, { env: { GANGLION_CUDA: '' } });
    expect([none.exitCode, none.stderr.trim().split('\n').at(-1)]).toEqual([
      1,
      expect.stringMatching(
        /^ganglion: --backend cuda cannot run here: NVIDIA's driver does not start: libcuda\.so\.1: /,
      ),
    ]);
    const wrong = await ganglion(flags, { env: { GANGLION_CUDA: 'yes' } });
    expect([wrong.exitCode, wrong.stderr.trim()]).toEqual([
      2,
      'ganglion: --backend cuda cannot run here: GANGLION_CUDA: expected emulated, got "yes"',
    ]);
  },
);
