// The system's Open MPI of version 4, which ends a job when a rank dies: two nodes train to the bits of one, and the next start resumes.
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { findMpiHere } from '../../coordinator/machine/mpi.ts';
import {
  MAIN,
  oneTo,
  processesWith,
  reached,
  scratchFolder,
  start,
  startGanglion,
  stepsOf,
  succeed,
  summaryOf,
} from '../integration/ganglion.ts';

const scratch = scratchFolder('open-mpi-4');
const system = ((): ReturnType<typeof findMpiHere> => {
  for (const machine of ['x86_64', 'aarch64']) {
    try {
      const mpi = findMpiHere({ ...process.env, GANGLION_LIBMPI: `/usr/lib/${machine}-linux-gnu/libmpi.so.40` });
      if (mpi?.major === 4 && mpi.mpirun !== undefined) return mpi;
    } catch {
      // not this one
    }
  }
  return undefined;
})();
const ENVIRONMENT = { OMPI_ALLOW_RUN_AS_ROOT: '1', OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: '1' };
const STEPS = 100;
const SMALL = ['--batch', '32', '--shards', '4', '--latent', '16', '--seed', '7', '--metrics-port', 'off'];
const TRAIN = ['train', ...SMALL, '--workers', '1', '--evaluate-every', 'off', '--steps', String(STEPS)];

function kill(rank: number, run: string): void {
  const isRank = (pid: number) =>
    readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`OMPI_COMM_WORLD_RANK=${rank}\0`);
  const ranks = processesWith(run).filter(isRank);
  expect(ranks).toHaveLength(1);
  for (const pid of ranks) process.kill(pid, 'SIGKILL');
}

describe.skipIf(!system)('two nodes of Open MPI 4', () => {
  const { library = '', mpirun = '' } = system ?? {};
  const launch = (run: string, ...more: string[]) =>
    startGanglion(['launch', '-n', '2', ...TRAIN, '--run', run, ...more], { env: { GANGLION_LIBMPI: library } });
  let expected: unknown;

  beforeAll(async () => {
    if (!system) return;
    await succeed([...TRAIN, '--run', scratch('one')]);
    expected = summaryOf(scratch('one')).stateSha256;
  });

  const expectEnd = (run: string): void =>
    expect([summaryOf(run).stateSha256, stepsOf(run)]).toEqual([expected, oneTo(STEPS)]);

  it('train to the bits of one', async () => {
    const run = scratch('two');
    const { exitCode, stderr } = await launch(run).ended;
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expectEnd(run);
  });

  it.each([0, 1])('are started once more by launch when node %i dies', async (rank) => {
    const run = scratch(`launched-${rank}`);
    const running = launch(run);
    await reached(running, run, 3);
    kill(rank, run);
    const { exitCode, stderr } = await running.ended;
    expect(exitCode).toBe(0);
    expect(stderr).toContain('ganglion: a node was lost with its mpirun; going on with 2 of 2 nodes');
    expectEnd(run);
  });

  it('end without launch when one dies, and the next start resumes', async () => {
    const run = scratch('alone');
    const running = start(mpirun, ['--oversubscribe', '-n', '2', process.execPath, MAIN, ...TRAIN, '--run', run], {
      env: ENVIRONMENT,
    });
    await reached(running, run, 3);
    kill(1, run);
    expect((await running.ended).exitCode).not.toBe(0);
    expect((await launch(run, '--resume', 'auto').ended).exitCode).toBe(0);
    expectEnd(run);
  });
});
