import { describe, expect, it } from 'vitest';
import { isWatched, jobMemberOf, localRanks, portHere, rankOf } from '../../../../coordinator/machine/rank.ts';

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

it('names its job as launch does, else as MPI does', () => {
  expect(jobMemberOf({ PMIX_NAMESPACE: 'a' })).toBeUndefined();
  const rank = { OMPI_COMM_WORLD_RANK: '2', PMIX_NAMESPACE: 'prterun-vm-13884@1' };
  expect(jobMemberOf(rank)).toEqual({ job: 'prterun-vm-13884@1', member: '0/2' });
  expect(jobMemberOf({ ...rank, GANGLION_JOB: 'ab-c/2' })).toEqual({ job: 'ab-c', member: '2/2' });
  expect(jobMemberOf({ ...rank, GANGLION_JOB: 'a b/2' })).toMatchObject({ job: 'prterun-vm-13884@1' });
  expect(jobMemberOf({ ...rank, PMIX_NAMESPACE: '\u001b[2J' })).toBeUndefined();
});

it('knows how many of the job are on its machine', () => {
  expect(localRanks({ OMPI_COMM_WORLD_LOCAL_SIZE: '4' })).toBe(1);
  const rank = { PMIX_RANK: '0' };
  expect(localRanks(rank)).toBe(1);
  expect(localRanks({ ...rank, OMPI_COMM_WORLD_LOCAL_SIZE: '4' })).toBe(4);
  expect(localRanks({ ...rank, SLURM_STEP_TASKS_PER_NODE: '2(x3),1' })).toBe(2);
  expect(localRanks({ ...rank, OMPI_COMM_WORLD_LOCAL_SIZE: 'x' })).toBe(1);
});

describe('portHere', () => {
  it.each([
    [9464, {}, 9464],
    [9464, { OMPI_COMM_WORLD_LOCAL_RANK: '1' }, 9464],
    [9464, { OMPI_COMM_WORLD_RANK: '5', OMPI_COMM_WORLD_LOCAL_RANK: '1' }, 9465],
    [9464, { PMIX_RANK: '3', SLURM_LOCALID: '2' }, 9466],
    [9464, { PMIX_RANK: '3', SLURM_LOCALID: 'x' }, 9464],
    [9464, { PMIX_RANK: '3' }, 9464],
    [0, { PMIX_RANK: '3', SLURM_LOCALID: '2' }, 0],
    [65_534, { PMIX_RANK: '3', SLURM_LOCALID: '1' }, 65_535],
    [65_534, { PMIX_RANK: '3', SLURM_LOCALID: '2' }, 0],
  ])('of %i with %j is %i', (port, env, expected) => {
    expect(portHere(port, env)).toBe(expected);
  });
});
