import { expect, it } from 'vitest';
import { isWatched, rankOf } from '../../../../coordinator/machine/rank.ts';

it('is the number that mpirun or srun gives', () => {
  expect(rankOf({})).toBeUndefined();
  expect(rankOf({ OMPI_COMM_WORLD_RANK: '3', PMIX_RANK: '4' })).toBe(3);
  expect(rankOf({ PMIX_RANK: '4' })).toBe(4);
  for (const text of ['', '-1', 'x', '1e3']) expect(rankOf({ PMIX_RANK: text })).toBeUndefined();
});

it("takes a rank's pseudo-terminal for one only where launch is on a terminal", () => {
  const rank = { OMPI_COMM_WORLD_RANK: '0' };
  expect(isWatched({ isTTY: true }, {})).toBe(true);
  expect(isWatched({}, {})).toBe(false);
  expect(isWatched({ isTTY: true }, rank)).toBe(false);
  expect(isWatched({ isTTY: true }, { ...rank, GANGLION_LAUNCH: 'plain' })).toBe(false);
  expect(isWatched({ isTTY: true }, { ...rank, GANGLION_LAUNCH: 'terminal' })).toBe(true);
  expect(isWatched({}, { ...rank, GANGLION_LAUNCH: 'terminal' })).toBe(false);
});
