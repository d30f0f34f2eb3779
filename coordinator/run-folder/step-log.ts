// metrics.jsonl: one record a step, written by the run, read for the live page and the report, and checked at the end.
import { PHASES } from '../../shared/model/layout.ts';
import { show, toPrintable } from '../../shared/printable.ts';
import { STEP_SCALARS, type StepScalars, toCurves } from '../../shared/step-scalars.ts';
import { readJsonLines, readJsonRecords } from '../files/json-lines.ts';
import { describeBadShard } from '../replicas/bad-shard.ts';
import { toStepScalars } from '../training/step-scalars.ts';
import type { StepRecord } from '../training/trainer.ts';

/** A record of metrics.jsonl. Numbers of a skipped update are NaN here, null in the file. */
export interface StepLog extends StepScalars {
  /** Steps done, so 1 for the first. */
  readonly step: number;
  /** Epoch of the step's images, from 0. */
  readonly epoch: number;
  /** From the end of the step before to the end of this one. */
  readonly seconds: number;
  /** Updates that were skipped for bad gradients; undefined when there was none, as nearly always. */
  readonly skipped?: readonly SkippedUpdate[] | undefined;
}

export interface SkippedUpdate {
  readonly phase: string;
  /** A line for each bad shard of this node. */
  readonly bad: readonly string[];
}

/** @param batch images a step */
export function toStepLog(record: StepRecord, batch: number): StepLog {
  const { step, epoch, seconds } = record;
  // JSON leaves out what is undefined.
  return { step, epoch, seconds, ...toStepScalars(record, batch), skipped: skippedOf(record) };
}

function skippedOf(record: StepRecord): StepLog['skipped'] {
  if (!record.discriminator.skipped && !record.generator.skipped) return undefined;
  return PHASES.filter((phase) => record[phase].skipped).map((phase) => {
    return { phase, bad: record[phase].bad.map(describeBadShard) };
  });
}

/** A step as the live page needs it. */
export interface LoggedStep {
  readonly step: number;
  readonly epoch: number;
  /** Curves of the step; NaN where there is none. */
  readonly values: number[];
  /** The update that was skipped, and why. */
  readonly skipped: string | undefined;
}

/** A line of the file; undefined when it is none of a step. */
function fromJson(record: unknown): StepLog | undefined {
  const step = stepOf(record);
  if (!Number.isSafeInteger(step)) return undefined;
  const fields = record as Readonly<Record<string, unknown>>;
  const number = (name: string): number => {
    const value = fields[name];
    return typeof value === 'number' ? value : Number.NaN;
  };
  const scalars = Object.fromEntries(STEP_SCALARS.map((name) => [name, number(name)])) as StepScalars;
  const skipped = fromSkipped(fields.skipped);
  return { step, epoch: number('epoch'), seconds: number('seconds'), ...scalars, ...(skipped ? { skipped } : {}) };
}

/** What should be a text; String() overflows the stack with deep arrays. */
function textOf(value: unknown): string {
  return typeof value === 'string' ? toPrintable(value) : show(value);
}

function fromSkipped(skipped: unknown): readonly SkippedUpdate[] | undefined {
  if (!Array.isArray(skipped)) return undefined;
  const phases = skipped.filter((each) => typeof each === 'object' && each !== null);
  return phases.map(({ phase, bad }) => ({ phase: textOf(phase), bad: [bad].flat().map(textOf) }));
}

/** The records of metrics.jsonl, in order. @throws GanglionError `checkpoint` */
export async function* readStepLogs(path: string): AsyncGenerator<StepLog, void, undefined> {
  for await (const records of readJsonRecords(path)) {
    for (const record of records) {
      const step = fromJson(record);
      if (step) yield step;
    }
  }
}

/** Reads metrics.jsonl for the live page. @throws GanglionError `checkpoint` */
export function readLog(path: string, each: (step: LoggedStep) => void): Promise<void> {
  return readJsonLines(path, (record) => {
    const log = fromJson(record);
    if (!log) return;
    const { step, epoch, skipped } = log;
    const why = skipped?.map(({ phase, bad }) => `${phase}: ${bad.join('; ')}`).join('; ');
    each({ step, epoch, values: toCurves(log), skipped: why });
  });
}

/** The `step` of a record of metrics.jsonl, or NaN. */
export function stepOf(record: unknown): number {
  const step = typeof record === 'object' && record !== null && 'step' in record ? record.step : undefined;
  return typeof step === 'number' ? step : Number.NaN;
}
