// The numbers of flow control must agree with each other and with the kernels.
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import {
  holdOf,
  MOST_TOGETHER,
  OUTCOMES_TOGETHER,
  RESULT_SLOTS,
  RESULTS_HELD,
  SHARDS_BEFORE_REAL,
  SHARDS_IN_HAND,
  SHARDS_OF_CALL,
} from '../../../shared/flow.ts';

it('leaves a replica a shard to compute while the outcomes of a message travel', () => {
  expect(SHARDS_OF_CALL).toBeGreaterThan(OUTCOMES_TOGETHER);
});

it('lets a replica hold a full share of a call beside a message of the call before', () => {
  expect(SHARDS_IN_HAND).toBeGreaterThanOrEqual(SHARDS_OF_CALL + OUTCOMES_TOGETHER);
});

it('leaves room for a shard over real images, and for others behind it', () => {
  expect(SHARDS_BEFORE_REAL).toBeGreaterThanOrEqual(1);
  expect(SHARDS_BEFORE_REAL).toBeLessThan(SHARDS_IN_HAND);
});

it('holds as many results as the kernels add in one pass over memory', () => {
  const header = readFileSync(new URL('../../../workers/engines/kernels/update.h', import.meta.url), 'utf8');
  expect(header).toContain(`constexpr int MOST_ARRAYS = ${RESULTS_HELD};`);
});

it('gives a replica a slot for each shard in hand and each result held', () => {
  for (let together = 1; together <= MOST_TOGETHER; together++) {
    expect(RESULT_SLOTS).toBeGreaterThanOrEqual(holdOf(together).inHand + RESULTS_HELD);
  }
});

it('lets a replica that computes several at once hold those of two passes, and never less than another', () => {
  for (let together = 2; together <= MOST_TOGETHER; together++) {
    const { ofCall, beforeReal, inHand } = holdOf(together);
    expect(ofCall).toBeGreaterThanOrEqual(Math.max(together, SHARDS_OF_CALL));
    expect(beforeReal).toBeGreaterThanOrEqual(2 * together);
    expect(inHand).toBeGreaterThanOrEqual(Math.max(2 * together, SHARDS_IN_HAND));
  }
});
