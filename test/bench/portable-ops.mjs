// Where the time of a shard goes on a backend of tfjs: milliseconds of every operation, by the shapes of its inputs.
//
//   npm run build && node test/bench/portable-ops.mjs [--backend js] [--batch 32] [--rounds 15] [--kernels]
//
// --kernels: of the kernels of tfjs that the operations are made of.
import { createRequire } from 'node:module';
import { parseArgs } from 'node:util';
import { initialise } from '../../dist/shared/model/initialise.js';
import { layoutOf } from '../../dist/shared/model/layout.js';
import { PASS_PROGRAMS } from '../../dist/shared/model/phases.js';
import { dcgan28 } from '../../dist/shared/model/spec.js';
import { fillNormal } from '../../dist/shared/random.js';
import { loadRunner } from '../../dist/workers/engines/engines.js';
import { PORTABLE_OPERATIONS } from '../../dist/workers/engines/tfjs/portable-operations.js';

const tf = createRequire(import.meta.url)('@tensorflow/tfjs-core');
const LATENT = 100;
const WARM_UP = 5;
const ROWS = 40;

const { values: options } = parseArgs({
  options: {
    backend: { type: 'string', default: 'js' },
    batch: { type: 'string', default: '32' },
    rounds: { type: 'string', default: '15' },
    kernels: { type: 'boolean', default: false },
  },
});
const [batch, rounds] = [Number(options.batch), Number(options.rounds)];

/** Milliseconds of every call, by what was called. @type {Map<string, number[]>} */
const times = new Map();

/** @param {string} name @param {readonly { shape: number[] }[]} tensors @param {() => any} work */
function timed(name, tensors, work) {
  const key = [name, ...tensors.map(({ shape }) => shape).filter((shape) => shape.length > 1)].join(' ');
  const started = performance.now();
  const result = work();
  const list = times.get(key) ?? [];
  list.push(performance.now() - started);
  times.set(key, list);
  return result;
}

/** @returns {Record<string, Float32Array>} */
function inputs() {
  const normal = (length, time) => fillNormal({ seed: 2, stream: 'samples', time, part: 0 }, new Float32Array(length));
  const values = { images: normal(batch * 784, 1).map(Math.tanh), z: normal(batch * LATENT, 2) };
  for (const net of ['generator', 'discriminator']) {
    const { parameters, parameterCount } = layoutOf(net, dcgan28(LATENT));
    const all = new Float32Array(parameterCount);
    initialise(net, dcgan28(LATENT), 4, all);
    for (const { name, offset, size } of parameters) values[`${net}/${name}`] = all.slice(offset, offset + size);
  }
  return values;
}

/** An eighth of them took less: what else the machine does counts little then. @param {number[]} list */
const typical = (list) => list.toSorted((a, b) => a - b)[list.length >> 3];

const engine = await loadRunner(options.backend);
if (options.kernels) {
  const { runKernel } = tf.engine();
  tf.engine().runKernel = (name, given, attributes) =>
    timed(name, Object.values(given), () => runKernel.call(tf.engine(), name, given, attributes));
} else {
  for (const [op, compile] of Object.entries(PORTABLE_OPERATIONS)) {
    PORTABLE_OPERATIONS[op] = (node, target) => {
      const evaluate = compile(node, target);
      return (...tensors) => timed(op, tensors, () => evaluate(...tensors));
    };
  }
}

const given = inputs();
const passes = Object.entries(PASS_PROGRAMS).map(([pass, program]) => [pass, engine.load(program(batch, LATENT))]);
const totals = new Map(passes.map(([pass]) => [pass, []]));
for (let round = -WARM_UP; round < rounds; round++) {
  if (round === 0) times.clear();
  for (const [pass, executor] of passes) {
    const started = performance.now();
    await executor.run(given);
    if (round >= 0) totals.get(pass).push(performance.now() - started);
  }
}

for (const [pass, list] of totals) console.log(`${typical(list).toFixed(2).padStart(7)} ms  pass ${pass}`);
const rows = [...times].map(([key, list]) => ({ key, calls: list.length / rounds, ms: typical(list) }));
rows.sort((a, b) => b.ms * b.calls - a.ms * a.calls);
console.log('   ms of all, calls, ms of one');
for (const { key, calls, ms } of rows.slice(0, ROWS)) {
  console.log(
    `${(ms * calls).toFixed(2).padStart(7)} ${String(calls).padStart(4)} ${ms.toFixed(3).padStart(8)}  ${key}`,
  );
}
