// The pictures in a run's folder of samples, as the live page and the report list them.
import { readdir } from 'node:fs/promises';
import { systemErrorCode } from '../../shared/error.ts';
import { fromSystemError } from '../files/atomic-file.ts';

/** A grid of samples after a step. */
export const SAMPLE_NAME = /^step-(\d{8,15})\.png$/;
/** Real digits to compare them with. */
export const REAL_SAMPLE = 'real.png';
/** The samples of the run one after another, made at its end. */
export const ANIMATION = 'epochs.gif';
/** The most that a page is told of: of more, evenly spread ones with the first and the newest. */
const MOST = 1000;

export interface Samples {
  /** Steps with a picture, in order. */
  readonly steps: number[];
  /** Whether there is a picture of real digits. */
  readonly real: boolean;
  /** Whether there is an animation of them all. */
  readonly animation: boolean;
}

/** The pictures in a folder; none when it is not there. @throws GanglionError `checkpoint` when it cannot be read */
export async function listSamples(folder: string): Promise<Samples> {
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT') throw fromSystemError(`cannot read ${folder}`, error, 'checkpoint');
    names = [];
  }
  const steps = names
    .flatMap((name) => SAMPLE_NAME.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b);
  return { steps: spread(steps, MOST), real: names.includes(REAL_SAMPLE), animation: names.includes(ANIMATION) };
}

/** At most so many of them, evenly spread, with both ends. */
export function spread(values: readonly number[], most: number): number[] {
  if (values.length <= most) return [...values];
  return Array.from({ length: most }, (_, i) => values[Math.round((i * (values.length - 1)) / (most - 1))] ?? 0);
}

/** Name of the picture of a step: `step-00000078.png`. */
export function sampleName(step: number): string {
  return `step-${String(step).padStart(8, '0')}.png`;
}
