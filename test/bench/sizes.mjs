// Images a second of larger images in colour beside PyTorch, in turns; batch 128, two workers, two threads.
//
//   npm run build && node test/bench/sizes.mjs --python PYTHON [--sizes 32,64] [--rounds 3] [--steps 8]
//
// PYTHON has test/golden/requirements.txt. PyTorch's rate is the better of eager and compiled (torch.compile).
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { execute, lastLine } from './execute.mjs';

const BATCH = 128;
/** Steps before those that are measured. */
const WARM_UP = 2;
const { values } = parseArgs({
  options: {
    python: { type: 'string', default: 'python3' },
    sizes: { type: 'string', default: '32,64' },
    rounds: { type: 'string', default: '3' },
    steps: { type: 'string', default: '8' },
  },
});
const steps = Number(values.steps);

/** @param {string} size @returns {Promise<{ mean: number, best: number }>} */
async function ganglion(size) {
  const run = join(mkdtempSync(join(tmpdir(), 'ganglion-sizes-')), 'run');
  const model = ['--image-size', size, '--channels', '3', '--batch', String(BATCH), '--workers', '2'];
  const rest = ['--metrics-port', 'off', '--evaluate-every', 'off', '--seed', '1', '--run', run];
  const count = String(steps + WARM_UP);
  await execute(process.execPath, ['dist/coordinator/main.js', 'train', ...model, '--steps', count, ...rest]);
  const records = readFileSync(join(run, 'metrics.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  rmSync(join(run, '..'), { recursive: true });
  const seconds = records.map((record) => record.seconds).slice(WARM_UP);
  return { mean: (BATCH * seconds.length) / seconds.reduce((a, b) => a + b), best: BATCH / Math.min(...seconds) };
}

/** @param {string[]} flags @param {string} size @returns {Promise<{ mean: number, best: number }>} */
const pytorch = async (size, ...flags) =>
  JSON.parse(
    lastLine(await execute(values.python, ['test/bench/pytorch_family.py', size, '3', String(steps), ...flags])),
  );

for (let round = 1; round <= Number(values.rounds); round++) {
  for (const size of values.sizes.split(',')) {
    const results = {
      ganglion: await ganglion(size),
      eager: await pytorch(size),
      compiled: await pytorch(size, '--compiled'),
    };
    const shown = Object.entries(results).map(
      ([name, { mean, best }]) => `${name} ${mean.toFixed(1)} (best step ${best.toFixed(1)})`,
    );
    const ratio = results.ganglion.mean / Math.max(results.eager.mean, results.compiled.mean);
    console.log(`round ${round}, ${size} pixels: ${shown.join(', ')}; ratio ${ratio.toFixed(2)}`);
  }
}
