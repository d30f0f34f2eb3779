// What the coordinator's arithmetic costs, in JavaScript and by the compiled kernels: medians of calls in turns, in milliseconds.
//
//   npm run build && node test/bench/update.mjs [--values 370000] [--rounds 200]
//
// GANGLION_KERNELS=avx2 measures the kernels of AVX2. Every round adds the four shards of a step and applies Adam, first one update and
// then the other, on memory of their own; both must end with the same bits.
import { parseArgs } from 'node:util';
import { adamState, adamStep } from '../../dist/coordinator/adam.js';
import { javascriptUpdate, loadUpdate } from '../../dist/coordinator/update.js';
import { UPDATE_ENTRY } from '../../dist/coordinator/worker-programs.js';

const SHARDS = 4;
const OPTIONS = { learningRate: 2e-4, beta1: 0.5, beta2: 0.999, epsilon: 1e-8 };

const { values: flags } = parseArgs({
  options: { values: { type: 'string', default: '370000' }, rounds: { type: 'string', default: '200' } },
});
const length = Number(flags.values);
const rounds = Number(flags.rounds);

const kernels = await loadUpdate(UPDATE_ENTRY, (error) => {
  throw error;
});
if (kernels === javascriptUpdate) throw new Error('there are no kernels here; run: npm run setup');

const shards = Array.from({ length: SHARDS }, (_, shard) =>
  Float32Array.from({ length }, (_, i) => Math.sin(i * (shard + 1.37)) / 50),
);
const contenders = [javascriptUpdate, kernels].map((update) => ({
  update,
  state: adamState(length),
  theta: new Float32Array(length),
  sum: new Float64Array(length),
  norm: 0,
  ms: { 'add, first shard': [], 'add, another': [], Adam: [] },
}));
for (let round = 0; round < rounds; round++) {
  for (const contender of contenders) {
    const { update, state, theta, sum, ms } = contender;
    const timed = (name, call) => {
      const from = performance.now();
      call();
      ms[name].push(performance.now() - from);
    };
    for (const [i, values] of shards.entries()) {
      if (i === 0) timed('add, first shard', () => update.setRounded(sum, values));
      else timed('add, another', () => update.addRounded(sum, values));
    }
    timed('Adam', () => {
      contender.norm = adamStep(OPTIONS, state, theta, sum, 1 / SHARDS, update.applyAdam);
    });
  }
}

const [javascript, native] = contenders;
const bytes = ({ theta, state, norm }) =>
  [theta, state.m, state.v, Float64Array.of(norm)].map(({ buffer }) => Buffer.from(buffer));
if (!bytes(javascript).every((part, i) => part.equals(bytes(native)[i]))) throw new Error('the bits differ');
const median = (times) => times.toSorted((a, b) => a - b)[times.length >> 1];
console.log(`${length} values, ${rounds} rounds, ${kernels.isa}\n`);
console.log('| ms a call        | JavaScript | kernels |');
console.log('| ---------------- | ---------: | ------: |');
for (const name of Object.keys(javascript.ms)) {
  const cells = [javascript, native].map(({ ms }) => median(ms[name]).toFixed(3));
  console.log(`| ${name.padEnd(16)} | ${cells[0].padStart(10)} | ${cells[1].padStart(7)} |`);
}
