// What a scrape costs the coordinator: node test/bench/scrape.mjs, after npm run build.
// The process that serves does nothing else, and another one scrapes it, so its processor time is the cost.
import { fork } from 'node:child_process';
import { Agent, get } from 'node:http';
import { startHttp } from '../../dist/coordinator/http/server.js';
import { createMetrics } from '../../dist/coordinator/monitoring/metrics.js';

const SCRAPES = 2_000;
const ROUNDS = 3;
const REPLICAS = 8;
const ACCEPT = {
  text: 'text/plain',
  openmetrics: 'application/openmetrics-text;version=1.0.0',
};

const [, , role, port, format] = process.argv;
if (role === 'client') await scrape(Number(port), ACCEPT[format]);
else await measure();

/** Scrapes one after another, by one connection, as Prometheus does. */
async function scrape(port, accept) {
  const agent = new Agent({ keepAlive: true });
  for (let i = 0; i < SCRAPES; i++) {
    await new Promise((resolve, reject) => {
      get({ port, path: '/metrics', agent, headers: { accept } }, (response) => {
        response.resume().on('end', resolve);
      }).on('error', reject);
    });
  }
  agent.destroy();
}

async function measure() {
  const replicas = Array.from({ length: REPLICAS }, (_, id) => {
    return { id, state: 'busy', kind: 'thread', pid: 1, threadId: id, restarts: 0, answered: 100, busySeconds: 1.5 };
  });
  const metrics = createMetrics({ batch: 128, replicas: () => replicas, info: { node: process.version } });
  const shard = { prepare: 0.002, compute: 0.02, copy: 0.0004 };
  const phase = { lossReal: 1, lossFake: 1, outputReal: 0.7, outputFake: 0.3, gradientNorm: 1, gradientBytes: 1 };
  const seconds = { phase: 0.04, sum: 0.003, adam: 0.006, shards: [shard, shard] };
  const record = { ...phase, seconds, bad: [], skipped: false, tensors: 5 };
  for (let step = 1; step <= 1000; step++) {
    const stepRecord = { step, epoch: 0, seconds: 0.08, discriminator: record, generator: record };
    metrics.observe({ kind: 'step', record: stepRecord, fromMs: 0 });
  }
  const status = () => ({ healthy: true, state: 'training' });
  const server = await startHttp({ port: 0, metrics, status, shards: 8, apiToken: null, resize: undefined });
  for (let round = 0; round <= ROUNDS; round++) {
    for (const format of Object.keys(ACCEPT)) {
      const before = process.cpuUsage();
      await new Promise((resolve) => {
        fork(new URL(import.meta.url), ['client', String(server.port), format]).on('exit', resolve);
      });
      const { user, system } = process.cpuUsage(before);
      const ms = (user + system) / 1000 / SCRAPES;
      if (round === 0) continue; // warms up
      const share = ms / 10; // of a second, in per cent
      console.log(`${format}: ${ms.toFixed(2)} ms a scrape; at one a second ${share.toFixed(2)} % of a core`);
    }
  }
  const bytes = (await metrics.text()).length;
  console.log(`${bytes} bytes, ${REPLICAS} replicas`);
  await server.close();
}
