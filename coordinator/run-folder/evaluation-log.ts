// evaluations.jsonl: how good the samples were, one record an evaluation, in order of steps.
import { z } from 'zod';
import type { Evaluation } from '../../shared/evaluation.ts';
import type { LiveEvaluation } from '../../shared/live-protocol.ts';
import { readJsonLines } from '../files/json-lines.ts';

const share = z.number().min(0).max(1);
const shares = z.array(share).max(1000).nullable();
const distance = z.number().min(0);

const Stored = z.object({
  step: z.int().min(0),
  weights: z.enum(['raw', 'ema']),
  count: z.int().min(2),
  frechetDistance: distance,
  floor: distance,
  floorCount: z.int().min(0),
  precision: share,
  recall: share,
  classShares: shares,
  realShares: shares,
  totalVariation: share.nullable(),
  confidence: share.nullable(),
});

/** An evaluation while training: the nearest training images are not looked for. */
export type LoggedEvaluation = LiveEvaluation;

/** A record as it is kept. */
export function toEvaluationLog({ nearest: _, ...figures }: Evaluation): LoggedEvaluation {
  return figures;
}

/** Gives every evaluation in the file to `each`, in order; what is none is passed over. @throws GanglionError `checkpoint` */
export function readEvaluations(path: string, each: (evaluation: LoggedEvaluation) => void): Promise<void> {
  return readJsonLines(path, (record) => {
    const { data } = Stored.safeParse(record);
    if (data) each(data);
  });
}

/** The evaluation nearest to real images, of equal ones the first; undefined where there is none. */
export function bestOf(evaluations: readonly LoggedEvaluation[]): LoggedEvaluation | undefined {
  const [first, ...others] = evaluations;
  return others.reduce((best, one) => (best && one.frechetDistance >= best.frechetDistance ? best : one), first);
}
