// What something beside training costs: images a second with it on beside it off, in turns.
//
//   npm run build && node test/bench/observers.mjs [--of watching|evaluation|average] [--rounds 8] [--steps 300] [--workers 2] [--data PATH]
//
// Watching: metrics scraped once a second, a live page that follows the events and asks for the curves every 5 s, events for TensorBoard; off:
// no port, no TensorBoard. Evaluation and average: as by default, and off. Log, checkpoints and pictures are the run's own and there both
// times. Needs a machine that does nothing else.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const MAIN = fileURLToPath(new URL('../../dist/coordinator/main.js', import.meta.url));
const PORT = 9471;
const { values } = parseArgs({
  options: {
    of: { type: 'string', default: 'watching' },
    data: { type: 'string' },
    rounds: { type: 'string', default: '8' },
    steps: { type: 'string', default: '300' },
    workers: { type: 'string', default: '2' },
  },
});

/** Watches until the returned function is called. */
function watch() {
  const base = `http://localhost:${PORT}`;
  const stop = new AbortController();
  const { signal } = stop;
  let asked = 0;
  const ask = async (path) => {
    try {
      const response = await fetch(base + path, { signal });
      await response.arrayBuffer();
      asked += 1;
    } catch {} // not there yet, or not any more
  };
  const follow = async () => {
    while (!signal.aborted) {
      try {
        const response = await fetch(`${base}/api/events`, { signal });
        for await (const _ of response.body) asked += 1;
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
  };
  void follow();
  const timers = [setInterval(() => ask('/metrics'), 1000), setInterval(() => ask('/api/history'), 5000)];
  return () => {
    for (const timer of timers) clearInterval(timer);
    stop.abort();
    return asked;
  };
}

/** Flags of a run with it, and of one without. */
const FLAGS = {
  watching: { on: ['--metrics-port', String(PORT)], off: ['--metrics-port', 'off', '--tensorboard', 'off'] },
  evaluation: { on: ['--metrics-port', 'off'], off: ['--metrics-port', 'off', '--evaluate-every', 'off'] },
  average: { on: ['--metrics-port', 'off'], off: ['--metrics-port', 'off', '--ema', 'off'] },
};
const flags = FLAGS[values.of];
if (!flags) throw new Error(`--of: expected ${Object.keys(FLAGS).join(', ')}, got ${values.of}`);

async function train(on) {
  const folder = mkdtempSync(join(tmpdir(), 'ganglion-observers-'));
  const run = join(folder, 'run');
  const { steps, workers, data } = values;
  const args = ['--steps', steps, '--workers', workers, '--run', run, '--checkpoint-every', '30s'];
  if (data !== undefined) args.push('--data', data);
  const unwatch = on && values.of === 'watching' ? watch() : () => 1;
  const child = spawn(process.execPath, [MAIN, 'train', ...args, ...(on ? flags.on : flags.off)], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const code = await new Promise((resolve) => child.on('exit', resolve));
  const asked = unwatch();
  if (code !== 0 || asked === 0) throw new Error(`the run ended with ${code} after ${asked} answers`);
  const { imagesPerSecond } = JSON.parse(readFileSync(join(run, 'summary.json'), 'utf8'));
  rmSync(folder, { recursive: true });
  return imagesPerSecond;
}

const median = (list) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)];
const ratios = [];
for (let round = 0; round < Number(values.rounds); round++) {
  const order = round % 2 === 0 ? [true, false] : [false, true];
  const speeds = {};
  for (const on of order) speeds[on] = await train(on);
  ratios.push(speeds.true / speeds.false);
  console.log(`on ${speeds.true.toFixed(0)}, off ${speeds.false.toFixed(0)} images/s: ${ratios.at(-1).toFixed(3)}`);
}
const range = `${Math.min(...ratios).toFixed(3)} to ${Math.max(...ratios).toFixed(3)}`;
console.log(`${values.of} on over off: median ${median(ratios).toFixed(3)} (${range})`);
