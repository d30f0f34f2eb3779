// The update in JavaScript, and in compiled kernels where there are some: `Update` has what both do.
import { addRounded } from '../../shared/exact-sum.ts';
import type { Update } from '../../shared/update.ts';
import { applyAdam } from './adam.ts';

/** Runs everywhere, and is what the kernels are held to. */
export const javascriptUpdate: Update = { addRounded, applyAdam };

/**
 * The fastest update that this machine has.
 *
 * @param entry compiled entry file of the kernels' side; its `loadUpdate` gives undefined where there are none
 * @param onFailure told of kernels that are there and do not load; JavaScript takes their place, with the same bits
 */
export async function loadUpdate(entry: URL, onFailure: (error: unknown) => void): Promise<Update> {
  try {
    const { loadUpdate: load }: { loadUpdate: () => Update | undefined } = await import(entry.href);
    return load() ?? javascriptUpdate;
  } catch (error) {
    onFailure(error);
    return javascriptUpdate;
  }
}
