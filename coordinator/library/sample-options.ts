// Checks what a program asks to have drawn.
import { GanglionError } from '../../shared/error.ts';
import type { SampleOptions } from './api.ts';

const MOST_IMAGES = 65_536;

/** Fills in the defaults. @throws GanglionError `usage` for a number that cannot be */
export function checkSampleOptions({ count = 64, seed = 1 }: SampleOptions = {}): Required<SampleOptions> {
  if (!Number.isSafeInteger(count) || count < 1 || count > MOST_IMAGES) {
    throw new GanglionError('usage', `count: expected a whole number from 1 to ${MOST_IMAGES}, got ${count}`);
  }
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new GanglionError('usage', `seed: expected a whole number of at least 0, got ${seed}`);
  }
  return { count, seed };
}
