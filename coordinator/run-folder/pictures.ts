// The grids in a run's folder of samples, as the live page and the report list them.
import { readdir } from 'node:fs/promises';
import { systemErrorCode } from '../../shared/error.ts';
import { fromSystemError } from '../files/atomic-file.ts';

/** A grid of samples after a step. */
export const SAMPLE_NAME = /^step-(\d{8,15})\.png$/;
/** Real images to compare them with. */
export const REAL_SAMPLE = 'real.png';
/** The animated samples of the run, made at its end. */
export const ANIMATION = 'epochs.gif';
/** The largest grid, of 64 x 64 in colour, has 830 kB before it is packed: a larger file was not written by Ganglion. */
export const MOST_PICTURE_BYTES = 2 ** 20;
/** Maximum number listed for a page: of more, evenly spread ones with the first and the newest. */
const MOST = 1000;

export interface Samples {
  /** Steps with samples, in order. */
  readonly steps: number[];
  /** Whether there is a grid of real images. */
  readonly real: boolean;
  /** Whether there is an animation. */
  readonly animation: boolean;
}

/** The grids in a folder; none when it is missing. @throws GanglionError `checkpoint` when it cannot be read */
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

/** At most this many, evenly spread, with both ends. */
export function spread(values: readonly number[], most: number): number[] {
  if (values.length <= most) return [...values];
  return Array.from({ length: most }, (_, i) => values[Math.round((i * (values.length - 1)) / (most - 1))] ?? 0);
}

/** File name of a step's samples: `step-00000078.png`. */
export function sampleName(step: number): string {
  return `step-${String(step).padStart(8, '0')}.png`;
}
