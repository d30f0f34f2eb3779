// What the coordinator's arithmetic costs, in JavaScript and by the compiled kernels: medians of calls in turns, in milliseconds.
//
//   npm run build && node test/bench/update.mjs [--values 370000] [--arrays 4] [--rounds 100]
//
// `--values 43000 --arrays 8` is the discriminator's; GANGLION_KERNELS=avx2 measures the kernels of AVX2. Every round adds the arrays
// of a step and applies Adam, in a call for each and in one call for all, by one update and the other, on memory of their own; all must
// end with the same bits. `cold`: 64 MB have been written before every call, so that what it reads comes from memory; Adam by itself
// follows the last array at once.
import { parseArgs } from 'node:util';
import { PROGRAMS } from '../../dist/coordinator/run/programs.js';
import { adamState, adamStep } from '../../dist/coordinator/training/adam.js';
import { javascriptKernels, loadKernels } from '../../dist/coordinator/training/update.js';

const OPTIONS = { learningRate: 2e-4, beta1: 0.5, beta2: 0.999, epsilon: 1e-8 };

const { values: flags } = parseArgs({
  options: {
    values: { type: 'string', default: '370000' },
    arrays: { type: 'string', default: '4' },
    rounds: { type: 'string', default: '100' },
  },
});
const length = Number(flags.values);
const count = Number(flags.arrays);
const rounds = Number(flags.rounds);

const kernels = await loadKernels(PROGRAMS.updateEntry, (error) => {
  throw error;
});
if (kernels === javascriptKernels) throw new Error('there are no kernels here; run: npm run setup');

const arrays = Array.from({ length: count }, (_, array) =>
  Float32Array.from({ length }, (_, i) => Math.sin(i * (array + 1.37)) / 50),
);
const others = new Int32Array(2 ** 24);
const evict = () => {
  for (let i = 0; i < others.length; i += 16) others[i]++;
};

/** Calls by which a step may be made, each with the times that it took. */
const ways = [javascriptKernels, kernels].flatMap((update) =>
  [false, true].map((isFused) => ({
    update,
    isFused,
    state: adamState(length),
    theta: new Float32Array(length),
    sum: new Float64Array(length),
    norm: 0,
    warm: [],
    cold: [],
  })),
);
for (let round = 0; round < rounds; round++) {
  for (const temperature of ['warm', 'cold']) {
    for (const way of ways) {
      const { update, isFused, state, theta, sum } = way;
      let ms = 0;
      const timed = (comesFirst, call) => {
        if (temperature === 'cold' && comesFirst) evict();
        const from = performance.now();
        call();
        ms += performance.now() - from;
      };
      if (!isFused) {
        for (const [i, values] of arrays.entries()) timed(true, () => update.addRounded(sum, [values], i === 0));
      }
      timed(isFused, () => {
        way.norm = adamStep(OPTIONS, state, theta, sum, 1 / count, {
          apply: update.applyAdam,
          values: isFused ? arrays : [],
          isFirst: isFused,
        });
      });
      way[temperature].push(ms);
    }
  }
}

const bytes = ({ theta, state, norm }) =>
  [theta, state.m, state.v, Float64Array.of(norm)].map(({ buffer }) => Buffer.from(buffer));
const expected = bytes(ways[0]);
for (const way of ways) {
  if (!expected.every((part, i) => part.equals(bytes(way)[i]))) throw new Error('the bits differ');
}
const median = (times) => times.toSorted((a, b) => a - b)[times.length >> 1];
console.log(`${length} values, ${count} arrays, ${rounds} rounds, ${kernels.isa}\n`);
console.log('| ms a step               |   warm |   cold |');
console.log('| ----------------------- | -----: | -----: |');
for (const { update, isFused, warm, cold } of ways) {
  const name = `${update === kernels ? 'kernels' : 'JavaScript'}, ${isFused ? 'one call' : `${count} + 1 calls`}`;
  const cells = [warm, cold].map((times) => median(times).toFixed(3).padStart(6));
  console.log(`| ${name.padEnd(23)} | ${cells.join(' | ')} |`);
}
