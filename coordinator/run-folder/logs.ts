// The log and the events of a run, read for the live page: a step's values in the order of CURVES.
import { createReadStream } from 'node:fs';
import { EVENT_KINDS } from '../../shared/live-protocol.ts';
import { fromSystemError } from '../files/atomic-file.ts';
import type { Environment } from './environment.ts';
import type { StoredEvent } from './events.ts';
import { stepOf } from './run-folder.ts';

/** Milliseconds from 1970 to the last time that a Date can name. */
const MOST_TIME = 8.64e15;

/** A record of metrics.jsonl. */
export interface LoggedStep {
  readonly step: number;
  readonly epoch: number;
  /** Curves of the step; NaN where there is none. */
  readonly values: number[];
  /** The update that was left out, and why. */
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
  const values = [
    number('lossDReal') + number('lossDFake'),
    number('lossG'),
    number('outputReal'),
    number('outputFake'),
    number('gradientNormD'),
    number('gradientNormG'),
    number('imagesPerSecond'),
  ];
  return { step, epoch: number('epoch'), values, skipped: describeSkipped(fields.skipped) };
}

function describeSkipped(skipped: unknown): string | undefined {
  if (!Array.isArray(skipped)) return undefined;
  const phases = skipped.filter((each) => typeof each === 'object' && each !== null);
  return phases.map(({ phase, bad }) => `${phase}: ${[bad].flat().join('; ')}`).join('; ');
}

/**
 * Gives every whole record of a file of JSON lines to `each`, in order, a piece of the file at a time.
 *
 * @throws GanglionError `checkpoint` when it cannot be read; a file that is missing has no records
 */
async function readLines(path: string, each: (record: unknown) => void): Promise<void> {
  let rest = '';
  try {
    for await (const piece of createReadStream(path, { encoding: 'utf8' })) {
      const lines = (rest + piece).split('\n');
      rest = lines.pop() ?? ''; // a line that a crash has cut has no end
      for (const line of lines) {
        const record = parsed(line);
        if (record !== undefined) each(record);
      }
    }
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return;
    throw fromSystemError(`cannot read ${path}`, error, 'checkpoint');
  }
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/** Reads metrics.jsonl. @throws GanglionError `checkpoint` */
export function readLog(path: string, each: (step: LoggedStep) => void): Promise<void> {
  return readLines(path, (record) => {
    const step = toLoggedStep(record);
    if (step) each(step);
  });
}

/** Reads events.jsonl. @throws GanglionError `checkpoint` */
export function readEvents(path: string, each: (event: StoredEvent) => void): Promise<void> {
  return readLines(path, (record) => {
    if (!isEvent(record)) return;
    const { time, step, kind, text, environment } = record;
    each({ time, step, kind, text, ...(isEnvironment(environment) ? { environment } : {}) });
  });
}

function isEnvironment(value: unknown): value is Environment {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.values(value).every((one) => typeof one === 'string' || typeof one === 'number');
}

function isEvent(record: unknown): record is Omit<StoredEvent, 'environment'> & { readonly environment?: unknown } {
  return (
    typeof record === 'object' &&
    record !== null &&
    'time' in record &&
    typeof record.time === 'number' &&
    Math.abs(record.time) <= MOST_TIME &&
    'step' in record &&
    typeof record.step === 'number' &&
    'kind' in record &&
    EVENT_KINDS.some((kind) => kind === record.kind) &&
    'text' in record &&
    typeof record.text === 'string'
  );
}
