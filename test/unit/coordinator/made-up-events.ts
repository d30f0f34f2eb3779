// Events of a run with values that a test can tell apart.
import type { FoldedEvent, RunEvent, RunStarted } from '../../../coordinator/run-folder/run-event.ts';
import type { StepRecord } from '../../../coordinator/training/trainer.ts';
import { type FaultReason, GanglionError } from '../../../shared/error.ts';
import { madeUpRecord } from './made-up-record.ts';

/** A step has been committed. */
export function stepEvent(record: StepRecord | number, fromMs = performance.now()): RunEvent {
  return { kind: 'step', record: typeof record === 'number' ? madeUpRecord(record) : record, fromMs };
}

/** A checkpoint `c.safetensors` of step 3 has been written. */
export function checkpointEvent(seconds: number, bytes: number): FoldedEvent {
  return { kind: 'checkpoint', written: { path: 'c.safetensors', step: 3, seconds, bytes, sha256: 'b' } };
}

/** Samples of a step have been judged; the digit 9 is missing. */
export function evaluatedEvent(
  step: number,
  frechetDistance = 7.25,
): Extract<RunEvent, { readonly kind: 'evaluated' }> {
  const realShares = Array.from({ length: 10 }, () => 0.1);
  const classShares = realShares.map((share, digit) => (digit === 9 ? 0 : share));
  const shares = { classShares, realShares, totalVariation: 0.1, confidence: 0.9 };
  const figures = {
    count: 2048,
    frechetDistance,
    floor: 0.5,
    floorCount: 2048,
    precision: 0.7,
    recall: 0.6,
    ...shares,
  };
  return { kind: 'evaluated', evaluation: { step, weights: 'raw', ...figures } };
}

/** Replica 1 was lost. */
export function lostEvent(reason: FaultReason): FoldedEvent {
  return { kind: 'lost', error: new GanglionError('replica', 'replica 1 failed', { reason }) };
}

/** Replica 1 is late with shard 2 of the generator phase of step 4. */
export function stragglerEvent(replica = 1): FoldedEvent {
  return { kind: 'straggler', shard: { step: 4, pass: 'generator', shard: 2 }, replica };
}

/** The run has begun, or goes on. */
export function startedEvent(resumed = false, environment = { node: 'v1' }): RunStarted {
  const figures = {
    step: resumed ? 2 : 0,
    nodes: 1,
    workers: 2,
    shards: 4,
    data: 'two digits',
    computing: 'kernels 1',
  };
  return { kind: 'started', resumed, ...figures, environment };
}

/** The run has ended in order at this step of 9. */
export function endedEvent(step: number): RunEvent {
  return { kind: 'ended', step, totalSteps: 9, imagesPerSecond: 1000, stateSha256: 'abc' };
}
