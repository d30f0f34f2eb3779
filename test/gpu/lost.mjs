// A GPU that is lost with the state: its context is poisoned in the middle of a run, which goes on with the other devices or the CPU, to the hash and
// the samples of the CPU.
//
//   node test/gpu/lost.mjs [DEVICES]     default: cuda:0, which is the one that is lost
import { createHash } from 'node:crypto';
import { train } from '../../dist/coordinator/library/ganglion.js';
import { openDevice } from '../../dist/workers/entry/update-entry.js';

const isEmulated = process.env.GANGLION_CUDA === 'emulated';
const settings = isEmulated ? { steps: 3, batch: 8, shards: 4, latent: 16, seed: 7 } : { steps: 150, seed: 7 };
const [devices = 'cuda:0'] = process.argv.slice(2);
const LOST_AFTER = isEmulated ? 1 : 130;
// Before there are threads that read the environment: a launch of the coordinator's in the second step.
if (isEmulated) process.env.GANGLION_CUDA_FAIL = 'cuLaunchKernel:719:14:0';

/** No address of any GPU. */
const NOWHERE = { address: 256, length: 4096 };

/** @returns {Promise<string>} */
async function hashOf(options, onStep = async () => {}) {
  const training = train({ ...settings, ...options });
  for await (const { step } of training) await onStep(step);
  const { values } = await training.sample({ count: 2 });
  return `${await training.stateSha256()}, samples ${createHash('sha256').update(values).digest('hex')}`;
}

const expected = await hashOf({ backend: 'cpu', workers: 2 });
const notices = [];
const got = await hashOf({ devices, onNotice: (text) => notices.push(text) }, async (step) => {
  if (step === LOST_AFTER && !isEmulated) (await openDevice(0)).moveAverage(NOWHERE, NOWHERE, 1, 0);
});
const lost = notices.filter((text) => text.includes('lost'));
console.log(lost.join('\n') || 'nothing was said of a lost GPU');
console.log(`CPU: ${expected}\n${devices}, the first lost after step ${LOST_AFTER}: ${got}`);
if (lost.length !== 1 || got !== expected) process.exitCode = 1;
