// What Ganglion costs as work grows.
//
//   npm run build && node test/bench/scaling.mjs [--only coordinator,memory,shards] [--svg docs/scaling.svg] [--json FILE]
//
// - coordinator: its time a step for 1 to 256 shards of 32 images, with replicas in this process that give made-up results at once: the
//   real trainer, group, exact sum, Adam and metrics; only the computing and the transport are missing;
// - memory: resident memory of a run at its peak, 1 to 8 workers in threads, 8 shards of 16 images;
// - shards: images a second of two workers, batch 256 in shards of 8 to 128 images.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { loadMnistPackage } from '../../dist/coordinator/data/mnist-package.js';
import { createMetrics } from '../../dist/coordinator/monitoring/metrics.js';
import { ReplicaGroup } from '../../dist/coordinator/replicas/replica-group.js';
import { PROGRAMS } from '../../dist/coordinator/run/programs.js';
import { SINGLE_NODE } from '../../dist/coordinator/training/communicator.js';
import { initialState } from '../../dist/coordinator/training/state.js';
import { train } from '../../dist/coordinator/training/trainer.js';
import { loadKernels } from '../../dist/coordinator/training/update.js';
import { phaseOf } from '../../dist/shared/model/layout.js';
import { phaseVectorOf } from '../../dist/shared/model/phase-vector.js';
import { dcgan28 } from '../../dist/shared/model/spec.js';
import { ROOT } from './execute.mjs';
import { toSvg } from './plot.mjs';

const ADAM = { learningRate: 2e-4, beta1: 0.5, beta2: 0.999, epsilon: 1e-8 };

const LATENT = 100;
const PARTS = ['coordinator', 'memory', 'shards'];

/** A replica in this process: its result is there at once, always the same. */
function stubReplica(id) {
  const results = {};
  for (const pass of ['real', 'fake', 'generator']) {
    const { length } = phaseVectorOf(phaseOf(pass), dcgan28(LATENT));
    results[pass] = Float32Array.from({ length }, (_, i) => Math.sin(i) / 100);
  }
  const ready = { backend: 'stub', libraryVersion: '0', threadId: 0, pid: process.pid };
  const seconds = { start: 0, prepare: 0.001, compute: 0.01, copy: 0.001 };
  return {
    ...{ id, kind: 'thread', ready },
    compute: ({ pass }) =>
      new Promise((resolve) => setImmediate(resolve, { values: results[pass], seconds, tensors: 0 })),
    sample: async ({ count }) => new Float32Array(count * 784),
    stop: async () => {},
  };
}

/** Milliseconds a step of the coordinator alone, and their parts. */
async function coordinatorMs(shards, steps, dataset) {
  const batch = shards * 32;
  const group = new ReplicaGroup({
    count: Math.min(2, shards),
    start: async (id) => stubReplica(id),
    observer: { fault() {}, straggler() {}, audit() {} },
    maxRestarts: 0,
    maxShardLosses: 0,
  });
  await group.start();
  const metrics = createMetrics({ batch, replicas: () => group.status, info: {} });
  const kernels = await loadKernels(PROGRAMS.updateEntry, (error) => {
    throw error;
  });
  const warmup = Math.max(2, Math.ceil(steps / 5));
  const parts = { data: 0, sum: 0, adam: 0, commit: 0 };
  let startedMs = 0;
  let cpu = process.cpuUsage();
  await train({
    state: initialState(dcgan28(LATENT), 1),
    ...{ dataset, replicas: group, communicator: SINGLE_NODE, seed: 1, batch, shards, totalSteps: warmup + steps },
    adam: { generator: ADAM, discriminator: ADAM },
    kernels,
    maxSkipped: 0,
    shouldStop: () => false,
    commit: async (record) => {
      const from = performance.now();
      metrics.observe({ kind: 'step', record, fromMs: from });
      parts.commit += performance.now() - from;
      if (record.step === warmup) {
        for (const part of Object.keys(parts)) parts[part] = 0;
        cpu = process.cpuUsage();
        startedMs = performance.now();
      }
    },
    span: (part, from, to) => {
      parts[part] += to - from;
    },
  });
  const totalMs = (performance.now() - startedMs) / steps;
  const { user, system } = process.cpuUsage(cpu);
  await group.stop();
  const each = Object.fromEntries(Object.entries(parts).map(([part, ms]) => [part, ms / steps]));
  const known = Object.values(each).reduce((sum, ms) => sum + ms, 0);
  return { totalMs, cpuMs: (user + system) / 1000 / steps, ...each, group: totalMs - known };
}

async function measureCoordinator() {
  const dataset = loadMnistPackage();
  const rows = [];
  for (const shards of [1, 2, 4, 8, 16, 32, 64, 128, 256]) {
    const runs = [];
    const steps = Math.max(8, Math.ceil(400 / shards));
    for (let i = 0; i < 3; i++) runs.push(await coordinatorMs(shards, steps, dataset));
    const [, middle] = runs.toSorted((a, b) => a.totalMs - b.totalMs);
    rows.push({ shards, ...middle, perShardMs: middle.totalMs / shards });
  }
  return rows;
}

/** Trains, and gives the summary and the peak of resident memory in bytes. */
function trainMeasured(parameters) {
  const folder = mkdtempSync(join(tmpdir(), 'ganglion-scaling-'));
  const run = join(folder, 'run');
  return new Promise((resolve, reject) => {
    const child = spawn(
      process.execPath,
      ['dist/coordinator/main.js', 'train', ...parameters, '--seed', '1', '--metrics-port', 'off', '--run', run],
      { cwd: ROOT, stdio: ['ignore', 'ignore', 'inherit'] },
    );
    let peak = 0;
    const look = setInterval(() => {
      try {
        peak =
          Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1] ?? 0) * 1024 || peak;
      } catch {} // it has ended
    }, 50);
    child.on('error', reject);
    child.on('close', (code) => {
      clearInterval(look);
      if (code === 0) resolve({ peak, summary: JSON.parse(readFileSync(join(run, 'summary.json'), 'utf8')) });
      else reject(new Error(`train ended with ${code}`));
    });
  }).finally(() => rmSync(folder, { recursive: true, force: true }));
}

async function measureMemory() {
  const rows = [];
  for (let workers = 1; workers <= 8; workers++) {
    const { peak } = await trainMeasured(['--workers', String(workers), '--shards', '8', '--steps', '30']);
    rows.push({ workers, peakMiB: peak / 2 ** 20 });
  }
  return rows;
}

async function measureShards() {
  const speeds = new Map([8, 16, 32, 64, 128].map((size) => [size, []]));
  for (let round = 0; round < 3; round++) {
    for (const [size, taken] of speeds) {
      const parameters = ['--workers', '2', '--batch', '256', '--shards', String(256 / size), '--steps', '60'];
      taken.push((await trainMeasured(parameters)).summary.imagesPerSecond);
    }
  }
  return [...speeds].map(([size, taken]) => {
    const [min, median, max] = taken.toSorted((a, b) => a - b);
    return { imagesAShard: size, shards: 256 / size, imagesPerSecond: median, min, max };
  });
}

function print(title, rows) {
  const text = (value) => (Number.isInteger(value) ? String(value) : value.toFixed(value < 100 ? 3 : 0));
  const columns = Object.keys(rows[0]);
  console.log(`\n${title}\n\n| ${columns.join(' | ')} |\n| ${columns.map(() => '---:').join(' | ')} |`);
  for (const row of rows) console.log(`| ${columns.map((column) => text(row[column])).join(' | ')} |`);
}

const { values } = parseArgs({
  options: { only: { type: 'string' }, svg: { type: 'string' }, json: { type: 'string' } },
});
const wanted = values.only?.split(',') ?? PARTS;
const results = {};
if (wanted.includes('coordinator')) results.coordinator = await measureCoordinator();
if (wanted.includes('memory')) results.memory = await measureMemory();
if (wanted.includes('shards')) results.shards = await measureShards();
for (const [title, rows] of Object.entries(results)) print(title, rows);
if (values.json) writeFileSync(values.json, `${JSON.stringify(results)}\n`);
if (values.svg) writeFileSync(values.svg, toSvg(results));
