// What a step copies between the host and a GPU that holds the whole state: numbers of images and jobs, flags, losses and norms. The copies
// that a checkpoint, a sample or every 100th step needs are not in it: training is watched between them.
//
//   node test/gpu/copies.mjs [IMAGES A STEP]     default: 128; in the emulation, which is slow, 16
import { createRequire } from 'node:module';
import { train } from '../../dist/coordinator/library/ganglion.js';
import { findCuda, locateCuda } from '../../dist/workers/engines/cuda/library.js';

/** Bytes of a step of up to 128 images. */
const MOST = 4096;
const isEmulated = process.env.GANGLION_CUDA === 'emulated';
const [batch = isEmulated ? 16 : 128] = process.argv.slice(2).map(Number);
const settings = { batch, seed: 7, ...(isEmulated ? { latent: 16 } : {}) };
const [FROM, TO] = isEmulated ? [1, 3] : [20, 80];

// The add-on that the threads have loaded: it counts for the whole process.
const { copied } = createRequire(import.meta.url)(findCuda(locateCuda()).path);
let before;
let after;
for await (const { step } of train({ ...settings, steps: TO + 1, backend: 'cuda', evaluateEvery: 'off' })) {
  if (step === FROM) before = copied();
  if (step === TO) after = copied();
}
const each = (direction) => Math.round((after[direction] - before[direction]) / (TO - FROM));
const [toDevice, toHost] = [each('toDevice'), each('toHost')];
console.log(`a step of ${batch} images copies ${toDevice} bytes to the GPU and ${toHost} back, expected under ${MOST}`);
if (!(toDevice + toHost < MOST)) process.exitCode = 1;
