// A node's metrics for Prometheus; docs/metrics.md has the table. Only this module and its parts (*-metrics.ts) know prom-client.
// Steps are observed in groups, or when somebody asks: one at a time, between the work of others, would cost a few times as much.
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { FAULT_REASONS } from '../../shared/error.ts';
import type { GpuFigures } from '../../shared/gpu-figures.ts';
import { PHASES, type Phase } from '../../shared/model/layout.ts';
import type { ReplicaStatus } from '../replicas/replica-status.ts';
import type { RunSink } from '../run-folder/run-event.ts';
import type { PhaseRecord } from '../training/phase.ts';
import type { StepRecord } from '../training/trainer.ts';
import { addGpuMetrics } from './gpu-metrics.ts';
import { addReplicaMetrics } from './replica-metrics.ts';
import { addRunMetrics } from './run-metrics.ts';
import { BUCKETS } from './seconds.ts';

export interface MetricsSources {
  readonly batch: number;
  readonly replicas: () => readonly ReplicaStatus[];
  /** What the GPUs are doing. Default: there are none. */
  readonly gpus?: () => readonly GpuFigures[];
  /** Labels of `ganglion_info`. */
  readonly info: Readonly<Record<string, string>>;
  /** Its label `backend`, which may change. */
  readonly backend?: () => string;
  /** Number of this node, a label of every series; undefined where it is alone. */
  readonly node?: number | undefined;
  /** Whether this node writes the run: figures of the run are served by it alone. Default: it does. */
  readonly writes?: boolean;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

/** Observes the run; read by HTTP. */
export interface Metrics extends RunSink {
  /** What Prometheus scrapes. */
  text(): Promise<string>;
}

/** Steps that are observed together. */
const MOST_WAITING = 16;
const SCRAPE_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1];

export function createMetrics(sources: MetricsSources): Metrics {
  const { batch, replicas, gpus = () => [], info, backend, node, writes = true, now = Date.now } = sources;
  const registry = new Registry();
  const registers = [registry];
  if (node !== undefined) registry.setDefaultLabels({ node: String(node) });
  collectDefaultMetrics({ register: registry });
  // Gauges named like counters, which promtool refuses; the same figures by type are there too.
  for (const name of ['handles', 'requests', 'resources']) registry.removeSingleMetric(`nodejs_active_${name}_total`);

  new Gauge({
    name: 'ganglion_info',
    help: 'Always 1; its labels say what runs. Join it on job and instance for the name of the run.',
    labelNames: Object.keys(info),
    registers,
    collect() {
      this.reset();
      this.set(backend ? { ...info, backend: backend() } : info, 1);
    },
  });
  const gradientBytes = new Counter({
    name: 'ganglion_gradient_bytes_total',
    help: 'Bytes of gradients that the coordinator received from replicas.',
    labelNames: ['phase'],
    registers,
  });
  const phaseSeconds = new Histogram({
    name: 'ganglion_phase_duration_seconds',
    help: 'Duration of a phase and of its parts: prepare, compute (with what was precomputed) and copy once a pass of a shard; total, sum and adam once a phase (results that Adam adds in its own pass over memory count as adam), and reduce, the sum over several nodes with the wait for them.',
    labelNames: ['phase', 'part'],
    buckets: BUCKETS,
    registers,
  });
  const faults = new Counter({
    name: 'ganglion_replica_faults_total',
    help: 'Replicas lost, by reason.',
    labelNames: ['reason'],
    registers,
  });
  const stragglers = new Counter({
    name: 'ganglion_stragglers_total',
    help: 'Shards of stragglers that were given to a second replica.',
    registers,
  });
  const audits = new Counter({
    name: 'ganglion_audited_shards_total',
    help: 'Shards that were computed twice to compare the bits.',
    registers,
  });
  const tensors = new Gauge({
    name: 'ganglion_native_tensors',
    help: 'Live tensors of the replica that answered last.',
    registers,
  });
  new Gauge({
    name: 'ganglion_native_memory_bytes',
    help: "Resident memory of the process outside JavaScript's heap: data, buffers and native libraries.",
    registers,
    collect() {
      const { rss, heapTotal } = process.memoryUsage();
      this.set(rss - heapTotal);
    },
  });
  addReplicaMetrics(registry, replicas);
  addGpuMetrics(registry, gpus);
  const run = writes ? addRunMetrics(registry, { batch, startedSeconds: now() / 1000 }) : undefined;
  const scrapeSeconds = new Histogram({
    name: 'ganglion_scrape_duration_seconds',
    help: 'Time to write the metrics, for which it blocks the coordinator; scrapes within a quarter of a second share one text.',
    buckets: SCRAPE_BUCKETS,
    registers,
  });
  // From 0, so that the first one is a rise.
  for (const reason of FAULT_REASONS) faults.inc({ reason }, 0);
  for (const phase of PHASES) gradientBytes.inc({ phase }, 0);

  const observePhase = (phase: Phase, record: PhaseRecord): void => {
    const { seconds } = record;
    phaseSeconds.observe({ phase, part: 'total' }, seconds.phase);
    phaseSeconds.observe({ phase, part: 'sum' }, seconds.sum);
    phaseSeconds.observe({ phase, part: 'adam' }, seconds.adam);
    phaseSeconds.observe({ phase, part: 'reduce' }, seconds.reduce);
    for (const shard of seconds.shards) {
      phaseSeconds.observe({ phase, part: 'prepare' }, shard.prepare);
      phaseSeconds.observe({ phase, part: 'compute' }, shard.compute + (shard.precompute?.seconds ?? 0));
      phaseSeconds.observe({ phase, part: 'copy' }, shard.copy);
    }
    gradientBytes.inc({ phase }, record.gradientBytes);
  };

  const observeStep = (record: StepRecord, atMs: number): void => {
    run?.observeStep(record, atMs);
    for (const phase of PHASES) observePhase(phase, record[phase]);
    tensors.set(record.generator.tensors);
  };
  const waiting: { readonly record: StepRecord; readonly atMs: number }[] = [];
  const observeWaiting = (): void => {
    for (const { record, atMs } of waiting.splice(0)) observeStep(record, atMs);
  };

  return {
    observe(event) {
      switch (event.kind) {
        case 'step':
          waiting.push({ record: event.record, atMs: now() });
          if (waiting.length === MOST_WAITING) observeWaiting();
          break;
        case 'repeated':
          observeWaiting(); // those before it
          run?.observe(event, now());
          break;
        case 'checkpoint':
        case 'held':
        case 'evaluated':
          run?.observe(event, now());
          break;
        case 'lost':
          faults.inc({ reason: event.error.reason ?? 'error' });
          break;
        case 'straggler':
          stragglers.inc();
          break;
        case 'audit':
          audits.inc();
          break;
      }
    },
    async text() {
      const startedMs = performance.now();
      observeWaiting();
      const text = await registry.metrics();
      scrapeSeconds.observe((performance.now() - startedMs) / 1000);
      return text;
    },
  };
}
