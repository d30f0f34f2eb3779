// The results of an update that are not in its sum yet: several at once are added in one pass over memory, the last by Adam in its own.
import { RESULTS_HELD } from '../../shared/flow.ts';
import type { TakenResult } from '../replicas/replica.ts';
import type { OnSpan } from './span.ts';
import type { Update } from './update.ts';

/** What every update does alike, wherever its sum lies. */
export interface HeldResults extends Pick<Update, 'add' | 'takeSumMs' | 'reset'> {
  readonly results: readonly TakenResult[];
  /** Whether the sum is still that of the update before. */
  readonly isFirst: boolean;
  /** Adds all results to the sum, and releases them. */
  addUp(): void;
  release(): void;
}

/** @param addToSum adds results to the sum, or begins it with them; they are released after it */
export function holdResults(
  addToSum: (results: readonly TakenResult[], isFirst: boolean) => void,
  span: OnSpan | undefined,
): HeldResults {
  let results: TakenResult[] = [];
  let isFirst = true;
  let sumMs = 0;

  const release = (): void => {
    for (const result of results) result.release();
    results = [];
  };
  const addUp = (): void => {
    const from = performance.now();
    addToSum(results, isFirst);
    isFirst = false;
    release();
    const to = performance.now();
    sumMs += to - from;
    span?.('sum', from, to);
  };

  return {
    get results() {
      return results;
    },
    get isFirst() {
      return isFirst;
    },
    add(result) {
      if (results.length === RESULTS_HELD) addUp();
      results.push(result);
    },
    addUp,
    release,
    takeSumMs() {
      const taken = sumMs;
      sumMs = 0;
      return taken;
    },
    reset() {
      release();
      isFirst = true;
    },
  };
}
