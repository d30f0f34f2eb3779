// Whether a log has every step once, in memory that does not grow with the steps.
import { readJsonLines } from '../files/json-lines.ts';
import { stepOf } from './step-log.ts';

/** Steps that are noted together. */
const BLOCK = 2 ** 16;
/** Stands for every block that has all its steps. */
const COMPLETE = new Uint8Array();

/** A set of steps from 1: blocks that are complete take no memory, and the log of a run goes through one block after another. */
class SeenSteps {
  readonly #blocks = new Map<number, { flags: Uint8Array; count: number }>();

  /** @returns whether it was there already */
  add(step: number): boolean {
    const at = Math.floor((step - 1) / BLOCK);
    const block = this.#blocks.get(at) ?? { flags: new Uint8Array(BLOCK), count: 0 };
    this.#blocks.set(at, block);
    const flag = (step - 1) % BLOCK;
    if (block.flags === COMPLETE || block.flags[flag] === 1) return true;
    block.flags[flag] = 1;
    block.count += 1;
    if (block.count === BLOCK) block.flags = COMPLETE;
    return false;
  }

  get count(): number {
    return [...this.#blocks.values()].reduce((sum, { count }) => sum + count, 0);
  }
}

/**
 * Checks from the log that every step up to `step` was committed once: counts those that are missing and those that stand there twice.
 *
 * @throws GanglionError `checkpoint` when the log cannot be read
 */
export async function countStepFaults(
  metricsPath: string,
  step: number,
): Promise<{ lostSteps: number; repeatedSteps: number }> {
  const seen = new SeenSteps();
  let repeatedSteps = 0;
  await readJsonLines(metricsPath, (record) => {
    const at = stepOf(record);
    if (Number.isInteger(at) && at >= 1 && at <= step && seen.add(at)) repeatedSteps += 1;
  });
  return { lostSteps: step - seen.count, repeatedSteps };
}
