// What watching costs: images a second with everything on beside everything off, in turns.
//
//   npm run build && node test/bench/observers.mjs [--rounds 8] [--steps 300] [--workers 2]
//
// On: metrics scraped once a second, a live page that follows the events and asks for the curves every 5 s, events for TensorBoard. Off:
// no port, no TensorBoard. Log, checkpoints and pictures are the run's own and there both times. Needs a machine that does nothing else.
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

async function train(watched) {
  const folder = mkdtempSync(join(tmpdir(), 'ganglion-observers-'));
  const run = join(folder, 'run');
  const off = ['--metrics-port', 'off', '--tensorboard', 'off'];
  const args = ['--steps', values.steps, '--workers', values.workers, '--run', run, '--checkpoint-every', '30s'];
  const unwatch = watched ? watch() : () => 1;
  const child = spawn(process.execPath, [MAIN, 'train', ...args, ...(watched ? ['--metrics-port', PORT] : off)], {
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
  for (const watched of order) speeds[watched] = await train(watched);
  ratios.push(speeds.true / speeds.false);
  console.log(`on ${speeds.true.toFixed(0)}, off ${speeds.false.toFixed(0)} images/s: ${ratios.at(-1).toFixed(3)}`);
}
const range = `${Math.min(...ratios).toFixed(3)} to ${Math.max(...ratios).toFixed(3)}`;
console.log(`watched over unwatched: median ${median(ratios).toFixed(3)} (${range})`);
