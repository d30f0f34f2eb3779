// Every kernel of a GPU beside the CPU's, bit by bit: the programs of all passes and of sampling, on inputs of every kind.
//
//   node dist/test/gpu/kernels.js [--once]     --once: one kind and size, for tools that make everything slow
import { dcgan28 } from '../../shared/model/spec.ts';
import { cudaRunner } from '../../workers/engines/cuda/cuda-runner.ts';
import { kernelRunner } from '../../workers/engines/kernels/kernel-runner.ts';
import { differences, inputsOf, KINDS, programsOf } from '../unit/workers/engines/cuda/comparison.ts';

const isOnce = process.argv.includes('--once');
const isEmulated = process.env.GANGLION_CUDA === 'emulated';
const SPEC = dcgan28(isEmulated ? 16 : 100);
/** Images of a shard: usual numbers, and some that fill no block. */
const SIZES = isEmulated ? [3] : [1, 3, 9, 32, 128];

const [cpu, gpu] = [kernelRunner(), cudaRunner(0)];
console.log(`${gpu.name} ${gpu.device} beside ${cpu.name}`);
let comparisons = 0;
for (const [name, make] of programsOf(SPEC)) {
  for (const [kind, factors] of Object.entries(KINDS).slice(0, isOnce ? 1 : undefined)) {
    for (const size of isOnce ? [8] : SIZES) {
      const program = make(size);
      const [expected, got] = [cpu.load(program), gpu.load(program)];
      const differing = await differences(expected, got, inputsOf(program, factors));
      for (const executor of [expected, got]) executor.dispose();
      comparisons++;
      if (differing.length === 0) continue;
      console.log(`DIFFERENT: ${name}, ${kind}, ${size} images: ${differing.join(', ')}`);
      process.exitCode = 1;
    }
  }
  console.log(`${name}: done`);
}
if (process.exitCode === undefined) console.log(`${comparisons} comparisons, every bit the same`);
