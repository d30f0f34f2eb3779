// How long a lost replica holds a step: from the kill of a replica that is at a shard to the first result of one of its shards from
// another. `node test/bench/recovery.mjs [--isolation process] [--workers 2] [--kills 20] [--batch 128] [--shards 4] [--json]` after
// `npm run build`. Processes are killed by SIGKILL at a random moment, threads by a plan at their next shard.
import { parseArgs } from 'node:util';
import { loadMnistPackage } from '../../dist/coordinator/data/mnist-package.js';
import { ReplicaGroup } from '../../dist/coordinator/replicas/replica-group.js';
import { startProcessReplica } from '../../dist/coordinator/replicas/transports/process-replica.js';
import { startThreadReplica } from '../../dist/coordinator/replicas/transports/thread-replica.js';
import { PROGRAMS } from '../../dist/coordinator/run/programs.js';
import { SINGLE_NODE } from '../../dist/coordinator/training/communicator.js';
import { initialState } from '../../dist/coordinator/training/state.js';
import { train } from '../../dist/coordinator/training/trainer.js';
import { dcgan28 } from '../../dist/shared/model/spec.js';

const ADAM = { learningRate: 2e-4, beta1: 0.5, beta2: 0.999, epsilon: 1e-8 };

const { values } = parseArgs({
  options: {
    isolation: { type: 'string', default: 'process' },
    workers: { type: 'string', default: '2' },
    kills: { type: 'string', default: '20' },
    batch: { type: 'string', default: '128' },
    shards: { type: 'string', default: '4' },
    json: { type: 'boolean', default: false },
  },
});
const { isolation, json } = values;
const [workers, kills, batch, shards] = [values.workers, values.kills, values.batch, values.shards].map(Number);
const [latent, seed] = [100, 7];
/** Steps between the moment when all replicas are there and the next kill. */
const QUIET_STEPS = 10;

const state = initialState(dcgan28(latent), seed);
const parameters = { generator: state.generator.parameters, discriminator: state.discriminator.parameters };
const setup = { backend: 'cpu', shardSize: batch / shards, spec: dcgan28(latent), seed, shards, parameters };

/** Milliseconds that shards took, from the moment when their replica was free for them. */
const shardMs = [];
const recoveries = [];
const detections = [];
/** The kill under way: the shards that its replica had. */
let kill;

const nameOf = ({ step, pass, shard }) => `${step} ${pass} ${shard}`;

/** A replica that notes what it has and when it answers. */
function watched(replica) {
  const runs = [];
  let freeMs = 0;
  watchedReplicas.set(replica.id, { replica, runs });
  return {
    ...replica,
    async compute(shard) {
      const name = nameOf(shard);
      runs.push(name);
      if (runs.length === 1) freeMs = performance.now();
      if (shard.fault?.kind === 'kill') kill = { victim: replica, shards: [name], ms: performance.now() };
      const result = await replica.compute(shard);
      runs.shift();
      const nowMs = performance.now();
      shardMs.push(nowMs - freeMs);
      freeMs = nowMs;
      if (kill?.victim === replica) {
        // Its answer was on its way already.
        kill.shards = kill.shards.filter((other) => other !== name);
        if (kill.shards.length === 0) kill = undefined;
      } else if (kill?.shards?.includes(name)) {
        recoveries.push(nowMs - kill.ms);
        kill = undefined;
      }
      return result;
    },
  };
}
const watchedReplicas = new Map();

const dataset = loadMnistPackage();
let quiet = 0;
let planned = false;
const group = new ReplicaGroup({
  count: workers,
  async start(id) {
    const start = isolation === 'process' ? startProcessReplica : startThreadReplica;
    const entry = isolation === 'process' ? PROGRAMS.processEntry : PROGRAMS.threadEntry;
    return watched(await start(id, { entry, setup, images: dataset.images, deadlineMs: 60_000 }));
  },
  observer: {
    fault: () => {
      if (kill) detections.push(performance.now() - kill.ms);
    },
    straggler: () => {},
    audit: () => {},
  },
  maxShardLosses: 1000,
  maxRestarts: 1000, // a kill that meets no shard counts as a loss, not as a recovery
  faults: () => {
    if (!planned) return undefined;
    planned = false;
    return { kind: 'kill' };
  },
});

/** Kills a replica that has work, at a moment that no step chooses. */
function strike() {
  if (isolation === 'thread') {
    kill = {};
    planned = true;
    return;
  }
  const busy = [...watchedReplicas.values()].filter(({ runs }) => runs.length > 0);
  const victim = busy[Math.floor(Math.random() * busy.length)];
  if (!victim) return;
  kill = { victim: victim.replica, shards: [...victim.runs], ms: performance.now() };
  process.kill(victim.replica.ready.pid, 'SIGKILL');
}

await group.start();
await train({
  state,
  dataset,
  replicas: group,
  communicator: SINGLE_NODE,
  adam: { generator: ADAM, discriminator: ADAM },
  seed,
  batch,
  shards,
  totalSteps: 1e6,
  maxSkipped: 1,
  shouldStop: () => recoveries.length >= kills,
  commit: async () => {
    const whole = group.status.every((replica) => replica.state === 'idle' || replica.state === 'busy');
    quiet = whole && !kill ? quiet + 1 : 0;
    if (quiet === QUIET_STEPS) {
      quiet = 0;
      setTimeout(strike, Math.random() * 30);
    }
  },
});
await group.stop();

const sorted = (list) => list.toSorted((a, b) => a - b);
const at = (list, share) => sorted(list)[Math.min(list.length - 1, Math.floor(list.length * share))] ?? Number.NaN;
const result = {
  isolation,
  workers,
  kills: recoveries.length,
  shardMs: at(shardMs, 0.5),
  detectionMs: at(detections, 0.5),
  recoveryMs: { median: at(recoveries, 0.5), p90: at(recoveries, 0.9), most: Math.max(...recoveries) },
};
result.withinBound = result.recoveryMs.median < result.shardMs + 50;
if (json) console.log(JSON.stringify(result));
else {
  const { median, p90, most } = result.recoveryMs;
  console.log(
    `${isolation}, ${workers} workers, ${recoveries.length} kills: first result of a lost shard after ${median.toFixed(1)} ms ` +
      `(median; 90 % ${p90.toFixed(1)}, most ${most.toFixed(1)}); loss noticed after ${result.detectionMs.toFixed(1)} ms; ` +
      `a shard takes ${result.shardMs.toFixed(1)} ms`,
  );
}
process.exitCode = result.withinBound ? 0 : 1;
