// metrics.jsonl: one record a step, written by the run, read for the live page and the report, and checked at the end.
import { readFileSync } from 'node:fs';
import { STEP_SCALARS, type StepScalars, toCurves } from '../../shared/step-scalars.ts';
import { readJsonLines } from '../files/json-lines.ts';

/** A record of metrics.jsonl. */
export interface LoggedStep {
  readonly step: number;
  readonly epoch: number;
  /** Curves of the step; NaN where there is none. */
  readonly values: number[];
  /** The skipped update, and why. */
  readonly skipped: string | undefined;
}

function toLoggedStep(record: unknown): LoggedStep | undefined {
  const step = stepOf(record);
  if (!Number.isSafeInteger(step)) return undefined;
  const fields = record as Readonly<Record<string, unknown>>;
  const number = (name: string): number => {
    const value = fields[name];
    return typeof value === 'number' ? value : Number.NaN;
  };
  const scalars = Object.fromEntries(STEP_SCALARS.map((name) => [name, number(name)])) as StepScalars;
  return { step, epoch: number('epoch'), values: toCurves(scalars), skipped: describeSkipped(fields.skipped) };
}

function describeSkipped(skipped: unknown): string | undefined {
  if (!Array.isArray(skipped)) return undefined;
  const phases = skipped.filter((each) => typeof each === 'object' && each !== null);
  return phases.map(({ phase, bad }) => `${phase}: ${[bad].flat().join('; ')}`).join('; ');
}

/** Reads metrics.jsonl. @throws GanglionError `checkpoint` */
export function readLog(path: string, each: (step: LoggedStep) => void): Promise<void> {
  return readJsonLines(path, (record) => {
    const step = toLoggedStep(record);
    if (step) each(step);
  });
}

/** The `step` of a record of metrics.jsonl, or NaN. */
export function stepOf(record: unknown): number {
  const step = typeof record === 'object' && record !== null && 'step' in record ? record.step : undefined;
  return typeof step === 'number' ? step : Number.NaN;
}

/**
 * Checks from the log that every step up to `step` was committed once: counts those that are missing and those that stand
 * there twice.
 */
export function countStepFaults(metricsPath: string, step: number): { lostSteps: number; repeatedSteps: number } {
  const seen = new Uint8Array(step + 1);
  let repeatedSteps = 0;
  for (const line of readFileSync(metricsPath, 'utf8').split('\n')) {
    if (line === '') continue;
    const at = stepOf(JSON.parse(line));
    if (seen[at] === 1) repeatedSteps++;
    seen[at] = 1;
  }
  return { lostSteps: seen.subarray(1).filter((flag) => flag === 0).length, repeatedSteps };
}
