// Metrics of the run, which the node that writes serves: progress, losses, checkpoints, evaluations. A part of metrics.ts.
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { PHASES } from '../../shared/model/layout.ts';
import type { RunEvent } from '../run-folder/run-event.ts';
import type { StepRecord } from '../training/trainer.ts';
import { addEvaluationMetrics } from './evaluation-metrics.ts';
import { BUCKETS } from './seconds.ts';

export interface RunMetrics {
  /** @param atMs milliseconds since 1970 */
  observeStep(record: StepRecord, atMs: number): void;
  /** @param atMs milliseconds since 1970 */
  observe(
    event: Extract<RunEvent, { readonly kind: 'repeated' | 'checkpoint' | 'held' | 'evaluated' }>,
    atMs: number,
  ): void;
}

/** @param batch images a step */
export function addRunMetrics(
  registry: Registry,
  { batch, startedSeconds }: { readonly batch: number; readonly startedSeconds: number },
): RunMetrics {
  const registers = [registry];
  const steps = new Counter({ name: 'ganglion_steps_total', help: 'Steps done by this process.', registers });
  const images = new Counter({
    name: 'ganglion_images_total',
    help: 'Real images trained on by this process.',
    registers,
  });
  const step = new Gauge({ name: 'ganglion_step', help: 'Steps done in the run.', registers });
  const stepTime = new Gauge({
    name: 'ganglion_step_timestamp_seconds',
    help: 'Time of the newest step, or of its repetition; before the first step, the start of this process.',
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
  const stepSeconds = new Histogram({
    name: 'ganglion_step_duration_seconds',
    help: 'Duration of a step.',
    buckets: BUCKETS,
    registers,
  });
  const checkpointSeconds = new Histogram({
    name: 'ganglion_checkpoint_duration_seconds',
    help: 'Time to write a checkpoint, from the copy of the state until the file is on disk.',
    buckets: BUCKETS,
    registers,
  });
  const checkpointHeldSeconds = new Histogram({
    name: 'ganglion_checkpoint_blocking_seconds',
    help: 'Time for which a checkpoint blocked the step loop: the copy, and the wait for the previous checkpoint.',
    buckets: BUCKETS,
    registers,
  });
  const checkpointBytes = new Gauge({
    name: 'ganglion_checkpoint_size_bytes',
    help: 'Size of the newest checkpoint.',
    registers,
  });
  const checkpointTime = new Gauge({
    name: 'ganglion_checkpoint_timestamp_seconds',
    help: 'Time of the newest checkpoint; before the first checkpoint, the start of this process.',
    registers,
  });
  checkpointTime.set(startedSeconds);
  const skipped = new Counter({
    name: 'ganglion_skipped_updates_total',
    help: 'Updates skipped because the gradient of a shard was not finite or too large.',
    labelNames: ['phase'],
    registers,
  });
  const observeEvaluation = addEvaluationMetrics(registry);
  for (const phase of PHASES) skipped.inc({ phase }, 0); // so that the first one is a rise

  return {
    observeStep(record, atMs) {
      steps.inc();
      images.inc(batch);
      step.set(record.step);
      stepTime.set(atMs / 1000);
      epoch.set(record.epoch);
      stepSeconds.observe(record.seconds);
      for (const phase of PHASES) {
        const { lossReal, lossFake, gradientNorm: norm, skipped: isSkipped } = record[phase];
        loss.set({ net: phase }, lossReal + lossFake);
        gradientNorm.set({ net: phase }, norm);
        skipped.inc({ phase }, isSkipped ? 1 : 0);
      }
      output.set({ images: 'real' }, record.discriminator.outputReal);
      output.set({ images: 'fake' }, record.discriminator.outputFake);
    },
    observe(event, atMs) {
      switch (event.kind) {
        case 'repeated':
          stepTime.set(atMs / 1000);
          break;
        case 'checkpoint':
          checkpointSeconds.observe(event.written.seconds);
          checkpointBytes.set(event.written.bytes);
          checkpointTime.set(atMs / 1000);
          break;
        case 'held':
          checkpointHeldSeconds.observe(event.seconds);
          break;
        case 'evaluated':
          observeEvaluation(event.evaluation);
          break;
      }
    },
  };
}
