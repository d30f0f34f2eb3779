// The run's metrics for Prometheus; docs/metrics.md has the table. Only this module, replica-metrics.ts and histogram.ts know prom-client.
// Steps wait in a list until somebody asks, or there are some: each alone, between two others' work, would cost several times as much.
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { FAULT_REASONS, type FaultReason } from '../shared/error.ts';
import type { Phase } from '../shared/layout.ts';
import { type ExpositionFormat, toOpenMetrics } from './exposition.ts';
import { Histogram } from './histogram.ts';
import { addReplicaMetrics } from './replica-metrics.ts';
import type { ReplicaStatus } from './seat.ts';
import type { PhaseRecord, StepRecord } from './trainer.ts';

export interface MetricsSources {
  readonly batch: number;
  readonly replicas: () => readonly ReplicaStatus[];
  /** Labels of `ganglion_info`. */
  readonly info: Readonly<Record<string, string>>;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

/** Observes the run; read by HTTP. */
export interface Metrics {
  step(record: StepRecord): void;
  /** A checkpoint is on the disk. */
  checkpoint(seconds: number, bytes: number): void;
  /** How long a checkpoint held the step loop. */
  checkpointHeld(seconds: number): void;
  fault(reason: FaultReason): void;
  /** A late shard was given to a second replica. */
  straggler(): void;
  /** A shard is computed twice. */
  audit(): void;
  /** What Prometheus scrapes. */
  text(format?: ExpositionFormat): Promise<string>;
}

const PHASES: readonly Phase[] = ['discriminator', 'generator'];
/** Seconds, from a millisecond to ten seconds. */
const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
/** Steps that may wait. */
const MOST_WAITING = 16;
const SCRAPE_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1];

export function createMetrics({ batch, replicas, info, now = Date.now }: MetricsSources): Metrics {
  const startedSeconds = now() / 1000;
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  // Gauges named like counters, which promtool refuses; the same figures by type are there too.
  for (const name of ['handles', 'requests', 'resources']) registry.removeSingleMetric(`nodejs_active_${name}_total`);

  new Gauge({
    name: 'ganglion_info',
    help: 'Always 1; its labels say what runs.',
    labelNames: Object.keys(info),
    registers,
  }).set(info, 1);
  const steps = new Counter({ name: 'ganglion_steps_total', help: 'Steps done by this process.', registers });
  const images = new Counter({
    name: 'ganglion_images_total',
    help: 'Real images trained on by this process.',
    registers,
  });
  const step = new Gauge({ name: 'ganglion_step', help: 'Steps done in the run.', registers });
  const stepTime = new Gauge({
    name: 'ganglion_step_timestamp_seconds',
    help: 'Time of the newest step; before the first, of the start of this process.',
    registers,
  });
  stepTime.set(startedSeconds);
  const epoch = new Gauge({ name: 'ganglion_epoch', help: 'Epoch of the newest step, from 0.', registers });
  const loss = new Gauge({
    name: 'ganglion_loss',
    help: 'Mean loss of a net in the newest step.',
    labelNames: ['net'],
    registers,
  });
  const output = new Gauge({
    name: 'ganglion_discriminator_output',
    help: 'Mean output of D, a probability: D(x) on real images, D(G(z)) on fake ones.',
    labelNames: ['images'],
    registers,
  });
  const gradientNorm = new Gauge({
    name: 'ganglion_gradient_norm',
    help: 'L2 norm of the mean gradient of a net in the newest step.',
    labelNames: ['net'],
    registers,
  });
  const gradientBytes = new Counter({
    name: 'ganglion_gradient_bytes_total',
    help: 'Bytes of gradients that replicas handed to the coordinator.',
    labelNames: ['phase'],
    registers,
  });
  const stepSeconds = new Histogram({
    name: 'ganglion_step_duration_seconds',
    help: 'Duration of a step.',
    buckets: BUCKETS,
    registers,
  }).series();
  const phaseSeconds = new Histogram({
    name: 'ganglion_phase_duration_seconds',
    help: 'Duration of a phase and of its parts: prepare, compute (what was begun ahead included) and copy once a pass of a shard; total, sum and adam once a phase (what Adam adds in its own pass over memory is part of adam).',
    buckets: BUCKETS,
    registers,
  });
  const checkpointSeconds = new Histogram({
    name: 'ganglion_checkpoint_duration_seconds',
    help: 'Time to write a checkpoint, from the copy of the state until the file is there.',
    buckets: BUCKETS,
    registers,
  }).series();
  const checkpointHeldSeconds = new Histogram({
    name: 'ganglion_checkpoint_blocking_seconds',
    help: 'Time by which a checkpoint held the step loop: the copy, and the wait for the checkpoint before.',
    buckets: BUCKETS,
    registers,
  }).series();
  const checkpointBytes = new Gauge({
    name: 'ganglion_checkpoint_size_bytes',
    help: 'Size of the newest checkpoint.',
    registers,
  });
  const checkpointTime = new Gauge({
    name: 'ganglion_checkpoint_timestamp_seconds',
    help: 'Time of the newest checkpoint; before the first, of the start of this process.',
    registers,
  });
  checkpointTime.set(startedSeconds);
  const faults = new Counter({
    name: 'ganglion_replica_faults_total',
    help: 'Replicas lost, by reason.',
    labelNames: ['reason'],
    registers,
  });
  const stragglers = new Counter({
    name: 'ganglion_stragglers_total',
    help: 'Late shards that were given to a second replica.',
    registers,
  });
  const audits = new Counter({
    name: 'ganglion_audited_shards_total',
    help: 'Shards that were computed twice to compare the bits.',
    registers,
  });
  const skipped = new Counter({
    name: 'ganglion_skipped_updates_total',
    help: 'Updates left out because the gradient of a shard was bad.',
    labelNames: ['phase'],
    registers,
  });
  const tensors = new Gauge({
    name: 'ganglion_native_tensors',
    help: 'Tensors alive in the replica that answered last.',
    registers,
  });
  new Gauge({
    name: 'ganglion_native_memory_bytes',
    help: "Resident memory of the process outside JavaScript's heap: mostly the native library.",
    registers,
    collect() {
      const { rss, heapTotal } = process.memoryUsage();
      this.set(rss - heapTotal);
    },
  });
  addReplicaMetrics(registry, replicas);
  const scrapeSeconds = new Histogram({
    name: 'ganglion_scrape_duration_seconds',
    help: 'Time to write the metrics down for one scrape, by which it holds the coordinator.',
    buckets: SCRAPE_BUCKETS,
    registers,
  }).series();
  // From 0, so that the first one is a rise.
  for (const reason of FAULT_REASONS) faults.inc({ reason }, 0);
  for (const phase of PHASES) {
    gradientBytes.inc({ phase }, 0);
    skipped.inc({ phase }, 0);
  }

  const durations = {
    discriminator: durationsOf('discriminator', phaseSeconds),
    generator: durationsOf('generator', phaseSeconds),
  };
  let waiting: StepRecord[] = [];
  let newestMs = 0;

  /** Brings the metrics up to the newest step. */
  const update = (): void => {
    const newest = waiting.at(-1);
    if (!newest) return;
    const records = waiting;
    waiting = [];
    steps.inc(records.length);
    images.inc(records.length * batch);
    step.set(newest.step);
    stepTime.set(newestMs / 1000);
    epoch.set(newest.epoch);
    for (const { seconds } of records) stepSeconds.observe(seconds);
    for (const phase of PHASES) {
      const phases = records.map((record) => record[phase]);
      for (const { seconds } of phases) observe(durations[phase], seconds);
      loss.set({ net: phase }, newest[phase].lossReal + newest[phase].lossFake);
      gradientNorm.set({ net: phase }, newest[phase].gradientNorm);
      gradientBytes.inc(
        { phase },
        phases.reduce((sum, record) => sum + record.gradientBytes, 0),
      );
      skipped.inc({ phase }, phases.filter((record) => record.skipped).length);
    }
    output.set({ images: 'real' }, newest.discriminator.outputReal);
    output.set({ images: 'fake' }, newest.discriminator.outputFake);
    tensors.set(newest.generator.tensors);
  };

  return {
    step(record) {
      waiting.push(record);
      newestMs = now();
      if (waiting.length === MOST_WAITING) update();
    },
    checkpoint(seconds, bytes) {
      checkpointSeconds.observe(seconds);
      checkpointBytes.set(bytes);
      checkpointTime.set(now() / 1000);
    },
    checkpointHeld: (seconds) => checkpointHeldSeconds.observe(seconds),
    fault: (reason) => faults.inc({ reason }),
    straggler: () => stragglers.inc(),
    audit: () => audits.inc(),
    async text(format = 'text') {
      const startedMs = performance.now();
      update();
      const text = await registry.metrics();
      const inFormat = format === 'openmetrics' ? toOpenMetrics(text) : text;
      scrapeSeconds.observe((performance.now() - startedMs) / 1000);
      return inFormat;
    },
  };
}

/** The series of a phase's durations. */
function durationsOf(phase: Phase, seconds: Histogram) {
  return {
    total: seconds.series({ phase, part: 'total' }),
    sum: seconds.series({ phase, part: 'sum' }),
    adam: seconds.series({ phase, part: 'adam' }),
    prepare: seconds.series({ phase, part: 'prepare' }),
    compute: seconds.series({ phase, part: 'compute' }),
    copy: seconds.series({ phase, part: 'copy' }),
  };
}

function observe(durations: ReturnType<typeof durationsOf>, seconds: PhaseRecord['seconds']): void {
  durations.total.observe(seconds.phase);
  durations.sum.observe(seconds.sum);
  durations.adam.observe(seconds.adam);
  for (const { prepare, compute, copy, ahead } of seconds.shards) {
    durations.prepare.observe(prepare);
    durations.compute.observe(compute + (ahead?.seconds ?? 0));
    durations.copy.observe(copy);
  }
}
