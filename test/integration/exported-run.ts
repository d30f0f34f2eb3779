// A short run that was exported, and what `ganglion sample` draws of it, for tests to compare the export with.
import { expect } from 'vitest';
import { SMALL, succeed } from './ganglion.ts';
import { readNpy } from './npy.ts';

export const PIXELS = 28 * 28;
/** What another order of float32 sums explains, of a pixel in [-1, 1]. */
export const ROUNDING = 1e-4;

/** Trains into `run`, exports to `output`, and saves 24 images of seed 3. @returns 30 images of seed 3 */
export async function exportRun(scratch: (...parts: string[]) => string, run: string, output: string) {
  // Enough steps that digits differ and BatchNorm's running statistics are no longer those of the start.
  await succeed(['train', ...SMALL, '--latent', '16', '--steps', '40', '--checkpoint-every', '20', '--run', run]);
  await succeed(['export', '--run', run, '--output', output]);
  await succeed(['sample', '--run', run, '--seed', '3', '--count', '30', '--output', scratch('seed3.npy')]);
  await succeed(['sample', '--run', run, '--seed', '3', '--count', '24', '--output', scratch('seed3.png')]);
  const sampled = readNpy(scratch('seed3.npy'));
  // Images that hardly differ would agree whatever the noise.
  expect(largestDifference(sampled.subarray(0, PIXELS), sampled.subarray(PIXELS, 2 * PIXELS))).toBeGreaterThan(0.1);
  return sampled;
}

/** The largest difference between values at the same place, which NaN makes NaN. The lengths must be equal. */
export function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  return Array.from(a).reduce((most, value, i) => Math.max(most, Math.abs(value - (b[i] ?? Number.NaN))), 0);
}
