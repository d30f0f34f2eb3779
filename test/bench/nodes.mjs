// What several nodes cost, by Open MPI on this machine.
//
//   npm run build && node test/bench/nodes.mjs [--only reductions,training,model] [--pairs N] [--steps N]
//
// - reductions: milliseconds of an all-reduce of the discriminator's and the generator's phase vectors, 2 to 4 nodes;
// - training: images a second of one node with two workers against two nodes with one, in turn;
// - model: milliseconds a step and the share of it that nodes cost, 16 to 256 nodes on 10 and 100 GbE, from the measured step and Rabenseifner's
//   formula: 2 log2(n) latency + 2 (n - 1)/n bytes / bandwidth + (n - 1)/n bytes / speed of adding.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { findMpiHere } from '../../dist/coordinator/machine/mpi.js';
import { joinNodes } from '../../dist/coordinator/nodes/join-nodes.js';
import { phaseVectorOf } from '../../dist/shared/model/phase-vector.js';
import { dcgan28 } from '../../dist/shared/model/spec.js';
import { ROOT } from './execute.mjs';

const MAIN = join(ROOT, 'dist', 'coordinator', 'main.js');

const PHASES = ['discriminator', 'generator'];
const lengthOf = (phase) => phaseVectorOf(phase, dcgan28(100)).length;
const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

if (process.env.OMPI_COMM_WORLD_RANK !== undefined) await measureReductions();
else await main();

/** One rank: prints the median of every vector. */
async function measureReductions() {
  const nodes = await joinNodes();
  for (const phase of PHASES) {
    const [from, into] = [nodes.allocate(lengthOf(phase)), nodes.allocate(lengthOf(phase))];
    const ms = [];
    for (let i = 0; i < 120; i++) {
      await nodes.agree();
      const start = performance.now();
      await nodes.allReduceSum(from, into);
      if (i >= 20) ms.push(performance.now() - start);
    }
    if (nodes.node === 0) console.log(`RESULT ${phase} ${median(ms).toFixed(2)}`);
  }
  await nodes.close();
}

function mpirun(ranks, args) {
  const { mpirun: file } = findMpiHere() ?? {};
  if (!file) throw new Error('expected Open MPI: ganglion setup --mpi');
  const flags = ['--oversubscribe', '--bind-to', 'none', '-n', String(ranks), process.execPath, ...args];
  const env = { ...process.env, OMPI_ALLOW_RUN_AS_ROOT: '1', OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: '1' };
  return execFileSync(file, flags, { encoding: 'utf8', env });
}

function reductions() {
  console.log('nodes  discriminator ms  generator ms');
  for (const ranks of [2, 3, 4]) {
    const output = mpirun(ranks, [fileURLToPath(import.meta.url)]);
    const [d, g] = PHASES.map((phase) => new RegExp(`RESULT ${phase} (\\S+)`).exec(output)?.[1]);
    console.log(`${ranks}      ${d}              ${g}`);
  }
}

/** Images a second of a run. */
function throughput(nodes, workers, steps) {
  const folder = mkdtempSync(join(tmpdir(), 'nodes-'));
  try {
    const run = join(folder, 'run');
    const flags = ['--steps', steps, '--seed', '7', '--metrics-port', 'off', '--evaluate-every', 'off'];
    const args = [MAIN, 'train', ...flags, '--workers', String(workers), '--run', run];
    if (nodes === 1) execFileSync(process.execPath, args, { stdio: 'ignore' });
    else mpirun(nodes, args);
    return JSON.parse(readFileSync(join(run, 'summary.json'), 'utf8')).imagesPerSecond;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function training(pairs, steps) {
  const [ones, twos, ratios] = [[], [], []];
  for (let i = 0; i < pairs; i++) {
    const one = throughput(1, 2, steps);
    const two = throughput(2, 1, steps);
    ones.push(one);
    twos.push(two);
    ratios.push(two / one);
    console.log(`1 x 2: ${one.toFixed(0)}, 2 x 1: ${two.toFixed(0)} images/s, ratio ${(two / one).toFixed(3)}`);
  }
  const texts = [median(ones).toFixed(0), median(twos).toFixed(0), median(ratios).toFixed(3)];
  console.log(`medians: 1 x 2 ${texts[0]}, 2 x 1 ${texts[1]} images/s, ratio ${texts[2]}`);
}

/** Seconds that a message needs at least, and bytes a second: usual figures of TCP. */
const NETWORKS = { '10 GbE': [30e-6, 1.1e9], '100 GbE': [15e-6, 11e9] };
/** Bytes of doubles that a core adds in a second. */
const ADDED = 8e9;
function model(steps) {
  /** Seconds that one worker computes a shard of 32 images, all passes. */
  const shardSeconds = (2 * 32) / throughput(1, 2, steps);
  console.log(
    'nodes  network  D ms  G ms  share of a step of one shard a node (D waits, G is hidden behind real images)',
  );
  for (const [name, [latency, bandwidth]] of Object.entries(NETWORKS)) {
    for (const nodes of [16, 64, 256]) {
      const [d = 0, g = 0] = PHASES.map((phase) => {
        const bytes = 8 * lengthOf(phase);
        const part = (nodes - 1) / nodes;
        return 2 * Math.log2(nodes) * latency + (2 * part * bytes) / bandwidth + (part * bytes) / ADDED;
      });
      const hidden = Math.min(g, shardSeconds / 4);
      const share = (d + g - hidden) / (shardSeconds + d + g - hidden);
      console.log(
        `${nodes}  ${name}  ${(1000 * d).toFixed(1)}  ${(1000 * g).toFixed(1)}  ${(100 * share).toFixed(0)} %`,
      );
    }
  }
}

async function main() {
  const { values } = parseArgs({
    options: {
      only: { type: 'string' },
      pairs: { type: 'string', default: '5' },
      steps: { type: 'string', default: '600' },
    },
  });
  const only = values.only?.split(',') ?? ['reductions', 'training', 'model'];
  if (only.includes('reductions')) reductions();
  if (only.includes('training')) training(Number(values.pairs), values.steps);
  if (only.includes('model')) model(values.steps);
}
