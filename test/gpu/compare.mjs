// Speed of a run, and of all runs of test/gpu/run beside PyTorch on the same GPU.
//
//   node test/gpu/compare.mjs --run DIR        one line for a run
//   node test/gpu/compare.mjs --folder DIR     a table for the runs speed-BATCH-WORKERS and pytorch.jsonl of that folder
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FLOP_PER_IMAGE_WINOGRAD } from '../bench/flop.mjs';

const [, , mode, folder] = process.argv;
const lines = (path) =>
  readFileSync(path, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

/** Milliseconds a step over the last half of a run: what is set up and compiled is before. */
function measure(run) {
  const { workers, device } = JSON.parse(readFileSync(join(run, 'summary.json'), 'utf8'));
  const { batch } = JSON.parse(readFileSync(join(run, 'config.json'), 'utf8'));
  const steps = lines(join(run, 'metrics.jsonl')).filter(({ step }) => step !== undefined);
  const last = steps.slice(Math.floor(steps.length / 2));
  const milliseconds = (1000 * last.reduce((sum, { seconds }) => sum + seconds, 0)) / last.length;
  return { batch, workers, device, milliseconds, imagesPerSecond: (1000 * batch) / milliseconds };
}

const describe = ({ batch, milliseconds, imagesPerSecond }) =>
  `batch ${batch}: ${milliseconds.toFixed(3)} ms a step, ${Math.round(imagesPerSecond)} images/s`;

if (mode === '--run') {
  const run = measure(folder);
  console.log(`${describe(run)}, ${run.workers} workers, ${run.device}`);
} else {
  const runs = readdirSync(folder)
    .filter((name) => /^speed-\d+-\d+$/.test(name))
    .map((name) => measure(join(folder, name)));
  const torch = lines(join(folder, 'pytorch.jsonl'));
  const best = (list, batch) =>
    list.filter((one) => one.batch === batch).sort((a, b) => b.imagesPerSecond - a.imagesPerSecond)[0];
  for (const batch of [128, 1024, 4096]) {
    const [ours, theirs] = [best(runs, batch), best(torch, batch)];
    if (!ours || !theirs) continue;
    const times = (ours.imagesPerSecond / theirs.imagesPerSecond).toFixed(2);
    console.log(
      `${describe(ours)} by ${ours.workers} workers; PyTorch ${describe(theirs)} (${theirs.name}): ${times} times`,
    );
  }
  const sgemm = torch.find(({ sgemmTflops }) => sgemmTflops !== undefined)?.sgemmTflops;
  const large = best(runs, 4096);
  if (sgemm && large) {
    const tflops = (large.imagesPerSecond * FLOP_PER_IMAGE_WINOGRAD) / 1e12;
    const share = Math.round((100 * tflops) / sgemm);
    console.log(
      `batch 4096: ${tflops.toFixed(1)} TFLOP/s after Winograd, ${share} % of cuBLAS's sgemm without TF32 (${sgemm})`,
    );
  }
  console.log('aims: at batch 128 1.40 times PyTorch and under 0.5 ms a step; at batch 4096 40 % of sgemm');
}
