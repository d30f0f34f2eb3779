// What a step copies between the host and a GPU that holds the whole state: numbers of images and jobs, flags, losses and norms. The copies
// that a checkpoint, a sample or every 50th step begins are not in it: training is watched before the first of them. Nothing is written, so
// there are no checkpoints and samples, and the first epoch ends later (step 78 at batch 128). On several GPUs parameters and results go between
// them, and are said beside.
//
//   node test/gpu/copies.mjs [IMAGES A STEP] [DEVICES]     default: 128 images, in the emulation, which is slow, 8; cuda:0
import { createRequire } from 'node:module';
import { train } from '../../dist/coordinator/library/ganglion.js';
import { HOST_COPY_STEPS } from '../../dist/coordinator/training/host-copies.js';
import { findCuda, locateCuda } from '../../dist/workers/engines/cuda/library.js';

/** Bytes of a step of up to 128 images. */
const MOST = 4096;
const isEmulated = process.env.GANGLION_CUDA === 'emulated';
const [batch = isEmulated ? 8 : 128, devices = 'cuda:0'] = process.argv
  .slice(2)
  .map((text, i) => (i === 0 ? Number(text) : text));
const settings = { batch, seed: 7, ...(isEmulated ? { latent: 16 } : {}) };
/** The next copy is begun half of its steps after the last, and is under way in the steps that follow. */
const [FROM, TO] = [10, isEmulated ? 15 : HOST_COPY_STEPS / 2 - 5];

/** By the add-on that the threads have loaded, which training has compiled where it was not there: it counts for the whole process. */
const copied = () => createRequire(import.meta.url)(findCuda(locateCuda()).path).copied();
let before;
let after;
for await (const { step } of train({ ...settings, steps: TO + 1, devices, evaluateEvery: 'off' })) {
  if (step === FROM) before = copied();
  if (step === TO) after = copied();
}
const each = (direction) => Math.round((after[direction] - before[direction]) / (TO - FROM));
const [toDevice, toHost, between] = [each('toDevice'), each('toHost'), each('between')];
console.log(
  `${devices}: a step of ${batch} images copies ${toDevice} bytes from the host and ${toHost} back, expected under ${MOST}; ${between} between GPUs`,
);
if (!(toDevice + toHost < MOST)) process.exitCode = 1;
