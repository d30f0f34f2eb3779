// The limit that the processor sets: products of 1024 x 1024 matrices by TensorFlow (ganglion setup --tensorflow), one thread each.
//
//   node test/bench/sgemm.mjs [threads] [seconds]     prints GFLOP/s of all threads together
import { isMainThread, parentPort, SHARE_ENV, Worker } from 'node:worker_threads';
import { Graph } from '../../dist/shared/model/graph.js';
import { matMul } from '../../dist/shared/model/ops.js';
import { tensorflowRunner } from '../../dist/workers/engines/tensorflow/tensorflow-runner.js';

const SIDE = 1024;
/** Products a call: so many that copying the last one out takes less than 1 % of it. */
const PRODUCTS = 8;

function compile() {
  const graph = new Graph();
  const a = graph.placeholder('a', [SIDE, SIDE]);
  const b = graph.placeholder('b', [SIDE, SIDE]);
  let product = a;
  for (let i = 0; i < PRODUCTS; i++) product = matMul(graph, product, b);
  return tensorflowRunner().load({ name: 'sgemm', graph, inputs: { a, b }, outputs: { product } });
}

/** Pseudo-random values of variance 1 / SIDE: products keep the magnitude, far from denormals. */
function matrix() {
  let word = 1;
  return Float32Array.from({ length: SIDE * SIDE }, () => {
    word = (Math.imul(word, 1664525) + 1013904223) >>> 0;
    return (word / 2 ** 32 - 0.5) * Math.sqrt(12 / SIDE);
  });
}

/** One thread: computes for that long and says at what speed. */
async function serve() {
  const executor = compile();
  const inputs = { a: matrix(), b: matrix() };
  await executor.run(inputs);
  parentPort.on('message', async ({ seconds }) => {
    const started = performance.now();
    let calls = 0;
    let elapsed = 0;
    while (elapsed < seconds) {
      await executor.run(inputs);
      calls += 1;
      elapsed = (performance.now() - started) / 1000;
    }
    parentPort.postMessage((calls * PRODUCTS * 2 * SIDE ** 3) / elapsed / 1e9);
    executor.dispose();
    parentPort.close();
  });
  parentPort.postMessage('ready');
}

/**
 * GFLOP/s of all threads together.
 *
 * @param {number} threads
 * @param {number} seconds
 */
async function measure(threads, seconds) {
  const workers = [];
  const next = (worker) =>
    new Promise((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
    });
  // One after another, as replicas start: the add-on has no lock.
  for (let i = 0; i < threads; i++) {
    const worker = new Worker(new URL(import.meta.url), { env: SHARE_ENV });
    await next(worker);
    workers.push(worker);
  }
  const speeds = workers.map(next);
  for (const worker of workers) worker.postMessage({ seconds });
  return (await Promise.all(speeds)).reduce((sum, speed) => sum + speed, 0);
}

if (isMainThread) {
  const [threads = '2', seconds = '5'] = process.argv.slice(2);
  console.log(String(await measure(Number(threads), Number(seconds))));
} else {
  await serve();
}
