// What TensorBoard's events cost a step, and how large they become: node test/bench/tensorboard.mjs, after npm run build.
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TensorBoardLog } from '../../dist/coordinator/monitoring/tensorboard/tensorboard-log.js';

const STEPS = 100_000;
const ROUNDS = 5;
/** Of a picture of a trained generator. */
const PNG_BYTES = 35_000;

const folder = mkdtempSync(join(tmpdir(), 'ganglion-bench-'));
const microseconds = [];
let bytes = 0;
for (let round = 0; round < ROUNDS; round++) {
  const log = new TensorBoardLog({
    folder,
    resumedAt: null,
    onFailure(message) {
      throw new Error(message);
    },
  });
  const startedMs = performance.now();
  for (let step = 1; step <= STEPS; step++) log.step(step, [1.2, 0.8, 0.7, 0.3, 20.1, 8.2, 3000 + (step % 7)]);
  log.flush();
  microseconds.push((1000 * (performance.now() - startedMs)) / STEPS);
  bytes = statSync(join(folder, readdirSync(folder).sort().at(-1) ?? '')).size;
  const png = new Uint8Array(PNG_BYTES);
  const pictureMs = performance.now();
  for (let i = 1; i <= 100; i++) log.sample(i, png);
  log.close();
  if (round === ROUNDS - 1) console.log(`a picture: ${((performance.now() - pictureMs) / 100).toFixed(3)} ms`);
}
rmSync(folder, { recursive: true });
const sorted = microseconds.sort((a, b) => a - b);
console.log(`a step: ${sorted.map((one) => one.toFixed(1)).join(', ')} microseconds, writing included`);
console.log(`${STEPS} steps: ${(bytes / 1e6).toFixed(1)} MB`);
