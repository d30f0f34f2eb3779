// What noise costs a replica, in JavaScript and by the compiled kernels: medians of calls in turns, in milliseconds.
//
//   npm run build && node test/bench/noise.mjs [--values 3200] [--rounds 2000]
//
// GANGLION_KERNELS=avx2 measures the kernels of AVX2. 3,200 values are the noise of a shard of 32. Both must give the same bits.
import { parseArgs } from 'node:util';
import { fillNormal } from '../../dist/shared/random.js';
import { loadKernels } from '../../dist/workers/engines/kernels/binding.js';
import { kernelNoise } from '../../dist/workers/engines/kernels/noise.js';

const { values: flags } = parseArgs({
  options: { values: { type: 'string', default: '3200' }, rounds: { type: 'string', default: '2000' } },
});
const length = Number(flags.values);
const rounds = Number(flags.rounds);

const kernels = loadKernels();
if (!kernels) throw new Error('there are no kernels here; run: npm run setup');
const noise = kernelNoise(kernels.binding);

const contenders = [fillNormal, noise].map((fill) => ({ fill, out: new Float32Array(length), ms: [] }));
for (let round = 0; round < rounds; round++) {
  for (const { fill, out, ms } of contenders) {
    const start = performance.now();
    fill({ seed: 1, stream: 'generatorNoise', time: round, part: 0 }, out);
    ms.push(performance.now() - start);
  }
  const [expected, got] = contenders.map(({ out }) => Buffer.from(out.buffer));
  if (!expected.equals(got)) throw new Error('the bits differ');
}
const [javascript, native] = contenders.map(({ ms }) => ms.toSorted((a, b) => a - b)[rounds >> 1]);
console.log(`${length} values, ${rounds} rounds, ${kernels.binding.isa}`);
console.log(
  `JavaScript ${javascript.toFixed(4)}, kernels ${native.toFixed(4)}, ${(javascript / native).toFixed(1)} times`,
);
