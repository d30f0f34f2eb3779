// A step's record with values that a test can tell apart.
import type { PhaseRecord } from '../../../coordinator/training/phase.ts';
import type { StepRecord } from '../../../coordinator/training/trainer.ts';

const SHARD = { start: 1, prepare: 0.002, compute: 0.02, copy: 0.0004 };

function phase(loss: number, tensors: number): PhaseRecord {
  return {
    lossReal: loss,
    lossFake: 2 * loss,
    outputReal: 0.75,
    outputFake: 0.25,
    gradientNorm: 10 * loss,
    gradientBytes: 1000,
    seconds: { phase: 0.04, sum: 0.003, reduce: 0, adam: 0.006, shards: [SHARD, SHARD] },
    bad: [],
    skipped: false,
    tensors,
  };
}

/** Loss of D 0.5 + 1, of G 0 + 0.25. */
export function madeUpRecord(step: number, epoch = 0): StepRecord {
  const { seconds, ...rest } = phase(0.125, 5);
  const begun = { ...SHARD, precompute: { start: 0.9, seconds: 0.003 } };
  const generator = { ...rest, lossReal: 0, seconds: { ...seconds, shards: [SHARD, begun] } };
  return { step, epoch, seconds: 0.08, discriminator: phase(0.5, 3), generator };
}
