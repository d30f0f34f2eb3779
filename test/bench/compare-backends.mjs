// The same training on cpu and on wasm: loss curves in one figure, what both draw at the end in another, and how close they are.
//
//   npm run build && node test/bench/compare-backends.mjs [--epochs 3] [--batch 32] [--shards 1] [--workers 1] [--seed 7]
//     [--backends cpu,wasm] [--output docs]
//
// Batches of 32, so that three passes over the 10,000 digits are 936 steps: of 234, with batches of 128, no backend draws digits yet.
//
// The bits differ from the first step on, and training magnifies that: so the yardstick is cpu with another seed.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { PNG } from 'pngjs';
import { ROOT } from './execute.mjs';
import { toCurvesSvg } from './plot.mjs';

const { values: options } = parseArgs({
  options: {
    epochs: { type: 'string', default: '3' },
    batch: { type: 'string', default: '32' },
    shards: { type: 'string', default: '1' },
    workers: { type: 'string', default: '1' },
    seed: { type: 'string', default: '7' },
    backends: { type: 'string', default: 'cpu,wasm' },
    output: { type: 'string', default: join(ROOT, 'docs') },
  },
});

const COLOURS = ['#1f6feb', '#d1242f', '#1a7f37'];
/** Steps of the running mean that is drawn bold and compared. */
const WINDOW = 20;
const LOSSES = ['loss of D', 'loss of G'];
const GAP = 12;

/** Trains, and reads what it left: a curve of [step, loss] a net, the newest picture, the summary. */
function train(backend, seed, folder) {
  const run = join(folder, `${backend}-${seed}`);
  const flags = ['epochs', 'batch', 'shards', 'workers'].flatMap((name) => [`--${name}`, options[name]]);
  flags.push('--backend', backend, '--seed', seed);
  const args = [join(ROOT, 'dist/coordinator/main.js'), 'train', ...flags, '--metrics-port', 'off', '--run', run];
  const { status, stderr } = spawnSync(process.execPath, args, {
    stdio: ['ignore', 'ignore', 'pipe'],
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`${backend} ended with exit code ${status}: ${stderr}`);
  const records = readFileSync(join(run, 'metrics.jsonl'), 'utf8').trimEnd().split('\n').map(JSON.parse);
  const pictures = readdirSync(join(run, 'samples')).filter((name) => name.startsWith('step-'));
  return {
    name: backend,
    summary: JSON.parse(readFileSync(join(run, 'summary.json'), 'utf8')),
    losses: [
      records.map(({ step, lossDReal, lossDFake }) => [step, lossDReal + lossDFake]),
      records.map(({ step, lossG }) => [step, lossG]),
    ],
    picture: PNG.sync.read(readFileSync(join(run, 'samples', pictures.sort().at(-1)))),
  };
}

/** Mean over the window that ends at each step. */
function smooth(points) {
  return points.map(([step], i) => {
    const window = points.slice(Math.max(0, i + 1 - WINDOW), i + 1);
    return [step, window.reduce((sum, [, y]) => sum + y, 0) / window.length];
  });
}

/** Mean distance of two smoothed curves. */
function distance(a, b) {
  const [one, other] = [smooth(a), smooth(b)];
  return one.reduce((sum, [, y], i) => sum + Math.abs(y - other[i][1]), 0) / one.length;
}

/** Steps from the first until two curves are apart by more than a thousandth of the loss. */
function togetherUntil(a, b) {
  const at = a.findIndex(([, y], i) => Math.abs(y - b[i][1]) > 1e-3 * Math.abs(y));
  return at === -1 ? a.length : at;
}

function sideBySide(pictures) {
  const width = pictures.reduce((sum, picture) => sum + picture.width, GAP * (pictures.length - 1));
  const whole = new PNG({ width, height: pictures[0].height });
  whole.data.fill(255);
  let at = 0;
  for (const picture of pictures) {
    PNG.bitblt(picture, whole, 0, 0, picture.width, picture.height, at, 0);
    at += picture.width + GAP;
  }
  return PNG.sync.write(whole, { colorType: 0 });
}

const folder = mkdtempSync(join(tmpdir(), 'ganglion-backends-'));
try {
  const runs = options.backends.split(',').map((backend) => train(backend, options.seed, folder));
  const [first, ...others] = runs;
  const control = train(first.name, String(Number(options.seed) + 1), folder);
  for (const { name, summary } of runs) {
    process.stdout.write(`${name}: ${summary.step} steps, ${summary.imagesPerSecond.toFixed(0)} images/s\n`);
  }
  for (const [net, what] of LOSSES.entries()) {
    const mean = first.losses[net].reduce((sum, [, y]) => sum + y, 0) / first.losses[net].length;
    process.stdout.write(
      `${what}, mean ${mean.toFixed(3)} on ${first.name}; mean distance of curves from ${first.name}:`,
    );
    for (const { name, losses } of others) {
      const steps = togetherUntil(first.losses[net], losses[net]);
      process.stdout.write(
        ` ${name} ${distance(first.losses[net], losses[net]).toFixed(4)} (within 0.1 % for ${steps} steps);`,
      );
    }
    process.stdout.write(` another seed ${distance(first.losses[net], control.losses[net]).toFixed(4)}\n`);
  }
  const svg = toCurvesSvg({
    title: `The same training on ${runs.map(({ name }) => name).join(' and ')}`,
    legend: runs.map(({ name }, i) => ({ name, colour: COLOURS[i] })),
    panels: LOSSES.map((title, net) => ({
      title,
      xLabel: 'step',
      lines: runs.flatMap(({ losses }, i) => [
        { colour: COLOURS[i], width: 1, opacity: 0.35, points: losses[net] },
        { colour: COLOURS[i], width: 2, opacity: 1, points: smooth(losses[net]) },
      ]),
    })),
  });
  writeFileSync(join(options.output, 'backends-loss.svg'), svg);
  writeFileSync(join(options.output, 'backends-digits.png'), sideBySide(runs.map(({ picture }) => picture)));
  process.stdout.write(
    `figures: ${join(options.output, 'backends-loss.svg')}, ${join(options.output, 'backends-digits.png')}\n`,
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
}
