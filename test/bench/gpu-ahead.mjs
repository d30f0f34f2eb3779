// How long a step takes beside a GPU: what the host does, hidden behind the kernels or not. In the emulation, where kernels compute nothing and take
// so many microseconds each, one after another in a stream; the coordinator and the replica on a core each. The weights mean nothing.
//
//   GANGLION_CUDA=emulated GANGLION_CUDA_TIMED=4 node test/bench/gpu-ahead.mjs [CHECKOUT] [STEPS]     default: this one, 4,000
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';

const [checkout = '.', steps = '4000'] = process.argv.slice(2);
const { train } = await import(resolve(checkout, 'dist/coordinator/library/ganglion.js'));
const [PIN, FROM, TO] = [100, 300, 300 + Number(steps)];
/** Of replicas in threads. */
const NICE = 10;

/** Replicas on one core, everything else on another. */
function pin() {
  for (const thread of readdirSync('/proc/self/task')) {
    const fields = readFileSync(`/proc/self/task/${thread}/stat`, 'utf8').split(') ')[1].split(' ');
    execFileSync('taskset', ['-pc', Number(fields[16]) === NICE ? '1' : '0', thread], { stdio: 'ignore' });
  }
}

let began = 0;
let ended = 0;
for await (const { step } of train({ seed: 7, steps: TO + 1, devices: 'cuda:0', evaluateEvery: 'off' })) {
  if (step === PIN) pin();
  if (step === FROM) began = performance.now();
  if (step === TO) ended = performance.now();
}
console.log(`${checkout}: ${((ended - began) / (TO - FROM)).toFixed(3)} ms a step`);
